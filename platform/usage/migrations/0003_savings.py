"""What answers from the cache saved, beside what calls cost."""

from decimal import Decimal

from django.db import migrations

import usage.exact


class Migration(migrations.Migration):
    dependencies = [("usage", "0002_append_only_and_partitions")]

    operations = [
        migrations.AddField(
            model_name="ledgerentry",
            name="saved",
            field=usage.exact.ExactDecimalField(decimal_places=12, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name="rollup",
            name="saved",
            field=usage.exact.ExactDecimalField(decimal_places=12, default=Decimal("0"), max_digits=24),
        ),
    ]

"""The ledger as the database holds it: append-only by trigger, and on PostgreSQL partitioned by month.

Django knows `id` as the primary key; of a partitioned table it has to hold the partition key too. A usage event has one
`at` for ever, so (id, at) refuses the same duplicates.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

PARTITIONED = """
ALTER TABLE usage_ledgerentry RENAME TO usage_ledgerentry_plain;
CREATE TABLE usage_ledgerentry (LIKE usage_ledgerentry_plain INCLUDING DEFAULTS) PARTITION BY RANGE (at);
CREATE TABLE usage_ledgerentry_rest PARTITION OF usage_ledgerentry DEFAULT;
INSERT INTO usage_ledgerentry SELECT * FROM usage_ledgerentry_plain;
DROP TABLE usage_ledgerentry_plain;
ALTER TABLE usage_ledgerentry ADD CONSTRAINT usage_ledgerentry_pkey PRIMARY KEY (id, at);
CREATE FUNCTION usage_ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The ledger is append-only: a correction is an entry of its own.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER usage_ledgerentry_append_only BEFORE UPDATE OR DELETE ON usage_ledgerentry FOR EACH ROW
    EXECUTE FUNCTION usage_ledger_is_append_only();
"""

PLAIN = """
DROP TRIGGER usage_ledgerentry_append_only ON usage_ledgerentry;
DROP FUNCTION usage_ledger_is_append_only();
CREATE TABLE usage_ledgerentry_plain (LIKE usage_ledgerentry INCLUDING DEFAULTS);
INSERT INTO usage_ledgerentry_plain SELECT * FROM usage_ledgerentry;
DROP TABLE usage_ledgerentry;
ALTER TABLE usage_ledgerentry_plain RENAME TO usage_ledgerentry;
ALTER TABLE usage_ledgerentry ADD CONSTRAINT usage_ledgerentry_pkey PRIMARY KEY (id);
"""

# SQLite: no trigger on DELETE, which is how a whole table is emptied there; the model refuses it.
SQLITE = """
CREATE TRIGGER usage_ledgerentry_append_only BEFORE UPDATE ON usage_ledgerentry BEGIN
    SELECT RAISE(ABORT, 'The ledger is append-only: a correction is an entry of its own.');
END
"""


def forwards(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(SQLITE)
        return
    _rebuild(apps, schema_editor, PARTITIONED)


def backwards(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("DROP TRIGGER usage_ledgerentry_append_only")
        return
    _rebuild(apps, schema_editor, PLAIN)


def _rebuild(apps: Any, schema_editor: Any, statements: str) -> None:
    """Indexes go with their table and get the same names again, so that later migrations find them."""
    entry = apps.get_model("usage", "LedgerEntry")
    schema_editor.execute(statements, params=None)
    for index in entry._meta.indexes:
        schema_editor.add_index(entry, index)


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_initial")]

    operations = [migrations.RunPython(forwards, backwards)]

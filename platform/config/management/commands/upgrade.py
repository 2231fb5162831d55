"""`manage.py upgrade`: everything that has to happen once before processes of this version start. Idempotent."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from config.publish import publish_everything
from usage import prices


def upgrade() -> None:
    """Migrates, brings the price catalogue up to date, and compiles every section as this version would."""
    call_command("migrate", interactive=False, verbosity=0)
    prices.seed()
    publish_everything()


class Command(BaseCommand):
    help = "Migrates the database, brings the price catalogue up to date and publishes anew. Run once before a new version starts."

    def handle(self, *args: Any, **options: Any) -> None:
        upgrade()
        self.stdout.write("The house is up to date.")

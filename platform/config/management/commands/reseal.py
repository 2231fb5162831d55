"""`manage.py reseal`: seals every stored credential with the sealing key that is first now.

To rotate the sealing key: put the new one before the old one in CUSTOMHOUSE_SEAL_KEY everywhere, restart, run this, take
the old one away.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.resealing import reseal, stored_rows


class Command(BaseCommand):
    help = "Seals every stored credential with the first of the sealing keys. Can be stopped and run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say what would be sealed anew and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        dry, total, changed, broken = options["dry_run"], stored_rows(), 0, []
        for number, (name, row) in enumerate(reseal(dry=dry), start=1):
            changed += bool(row.done)
            broken += [f"{name} ({column})" for column in row.broken]
            if row.done:
                self.stdout.write(f"{number}/{total} {name}: {'would be ' if dry else ''}sealed anew: {', '.join(row.done)}")
            elif options["verbosity"] > 1:
                self.stdout.write(f"{number}/{total} {name}: nothing to do")
        self.stdout.write(f"{changed} of {total} {'would be ' if dry else ''}sealed anew with the first key.")
        if broken:
            raise CommandError(
                f"These do not open with any of the keys that are set: {', '.join(broken)}. Keep the key that they were sealed with, "
                "or enter them again.",
                returncode=2,
            )

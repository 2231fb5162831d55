"""`manage.py debug_record <request id>`: what an upstream sent to a call that ended in `upstream_garbled`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dataplane.debug import read


class Command(BaseCommand):
    help = "Prints the raw bytes that an upstream sent when the gateway could not read its answer (x-request-id finds the call)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("request_id")

    def handle(self, *args: Any, **options: Any) -> None:
        directory = settings.CUSTOMHOUSE.home / "debug"
        found = read(directory, options["request_id"])
        if found is None:
            raise CommandError(f"There is no record of {options['request_id']} in {directory}. Gateways keep the last 200, each its own.")
        head, raw = found
        self.stdout.write(f"{head['provider']}: {head['why']} ({head['bytes']} bytes)\n")
        self.stdout.write(raw.decode("utf-8", "backslashreplace"))

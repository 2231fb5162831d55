"""`manage.py export`: the house in the shape that `apply` takes. Applied again it changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.applying.exporting import as_yaml, exported


class Command(BaseCommand):
    help = "Prints providers, models, teams, keys, servers, agents, skills and grants as YAML. Secrets are left out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", metavar="FILE", help="Write there instead; skills are written beside it, in skills/.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["output"]:
            self.stdout.write(as_yaml(exported()), ending="")
            return
        path = Path(options["output"])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(as_yaml(exported(skills_in=path.parent)), encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from None

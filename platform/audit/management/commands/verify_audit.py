from __future__ import annotations

import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import trail

_ANCHOR = re.compile(r"(\d+):([0-9a-f]{64})")


class Command(BaseCommand):
    help = "Check the audit trail's hash chain: names the first event that was changed, deleted, moved or cut off."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--anchor",
            metavar="LENGTH:HASH",
            help="what an earlier run printed, kept outside the database; also finds a chain that was rewritten as a whole",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = trail.verify(anchor=_anchor(options["anchor"]))
        if not verdict.ok:
            raise CommandError(f"The audit trail is broken at event {verdict.bad}: {verdict.reason}.", returncode=2)
        self.stdout.write(f"The audit trail is whole. Anchor: {verdict.length}:{verdict.hash}")


def _anchor(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    match = _ANCHOR.fullmatch(text)
    if match is None:
        raise CommandError("--anchor is LENGTH:HASH, as this command prints it")
    return int(match[1]), match[2]

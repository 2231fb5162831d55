"""`manage.py apply FILE`: makes the house what the file says, or changes nothing and says what is wrong with it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.applying.engine import Change, apply_text
from config.applying.kind import Run
from config.applying.problems import Refused
from identity.models import User

SIGNS = {"create": "+", "change": "~", "remove": "-"}


class Command(BaseCommand):
    help = "Applies a file of providers, models, teams, keys, servers, agents, skills and grants. Idempotent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="A YAML file, or - for standard input.")
        parser.add_argument("--dry-run", action="store_true", help="Print the difference and change nothing.")
        parser.add_argument("--prune", action="store_true", help="Remove what the sections of the file do not name.")
        parser.add_argument("--as", dest="actor", metavar="USERNAME", help="Act as this person, with no more than their power.")

    def handle(self, *args: Any, **options: Any) -> None:
        text, base = _read(options["file"])
        run = Run(actor=_actor(options["actor"]), base=base, prune=options["prune"], dry=options["dry_run"])
        try:
            changes = apply_text(text, run=run)
        except Refused as refused:
            raise CommandError("\n".join((*map(str, refused.problems), "Nothing was applied."))) from None
        for change in changes:
            self.stdout.write(line(change))
        self._show_keys(run)
        self.stdout.write(_summary(changes, dry=run.dry))

    def _show_keys(self, run: Run) -> None:
        for name, text in run.made:
            self.stdout.write(f"key {name}: {'one will be made' if run.dry else f'{text}   (shown once)'}")


def line(change: Change) -> str:
    """One line per object, and one per field that changes."""
    head = f"{SIGNS[change.verb]} {change.word} {change.name}"
    return "\n".join((head, *(f"    {name}: {_shown(old)} → {_shown(new)}" for name, (old, new) in change.fields.items())))


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}…"


def _summary(changes: list[Change], *, dry: bool) -> str:
    counts = {verb: sum(change.verb == verb for change in changes) for verb in SIGNS}
    if not changes:
        return "No changes."
    told = f"{counts['create']} created, {counts['change']} changed, {counts['remove']} removed."
    return f"Would be: {told} Nothing was applied." if dry else told


def _read(name: str) -> tuple[str, Path]:
    try:
        if name == "-":
            return sys.stdin.read(), Path.cwd()
        path = Path(name)
        return path.read_text(encoding="utf-8"), path.resolve().parent
    except UnicodeDecodeError:
        raise CommandError(f"{name}: expected text in UTF-8") from None
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None


def _actor(username: str | None) -> User | None:
    if username is None:
        return None
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"there is no active user {username}")
    found: User = user
    return found

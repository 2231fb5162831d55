"""What the tour has to remember between starts: `$CUSTOMHOUSE_HOME/tour-state.json`, 0600, beside the house's secrets."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

NAME = "tour-state.json"


class State(msgspec.Struct):
    """`base_url` is where the sandbox was registered last, "" before the first run. `smoked` says that the first calls
    were made: their rows are the first of the ledger, and later starts add none."""

    admin_password: str
    admin_key: str
    key: str
    admin_user: str = "admin"
    model: str = "sandbox-chat"
    server: str = "sandbox"
    agent: str = "sandbox"
    base_url: str = ""
    smoked: bool = False


def load(home: Path) -> State:
    from identity import keytext

    path = home / NAME
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=State)
    return State(admin_password=secrets.token_urlsafe(18), admin_key=keytext.generate(), key=keytext.generate())


def save(home: Path, state: State) -> None:
    write_private(home / NAME, msgspec.json.format(msgspec.json.encode(state)))


def write_private(path: Path, content: bytes) -> None:
    """Whole or not at all, readable by its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)

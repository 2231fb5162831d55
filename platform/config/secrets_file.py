"""The secrets that a house on its own makes for itself: `$CUSTOMHOUSE_HOME/secrets.json`, 0600, written once.

Owns the race of several processes that start on one empty home: the file appears whole or not at all, and whoever
comes second reads what the first one wrote. `python -m config.secrets_file` prints a fresh set for a composed house.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path

NAME = "secrets.json"


def fresh_secrets() -> dict[str, str]:
    return {
        "CUSTOMHOUSE_SECRET_KEY": secrets.token_urlsafe(48),
        "CUSTOMHOUSE_KEY_PEPPER": secrets.token_urlsafe(32),
        "CUSTOMHOUSE_SEAL_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
    }


def kept_secrets(home: Path) -> dict[str, str]:
    """The secrets of this home, made at the first call."""
    path = home / NAME
    if not path.exists():
        _write_once(path, json.dumps(fresh_secrets(), indent=1))
    kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return kept


def _write_once(path: Path, text: str) -> None:
    draft = path.with_name(f".{NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # link(2) fails where the name is taken, rename(2) would overwrite: the first writer wins.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


if __name__ == "__main__":
    print("\n".join(f"{name}={value}" for name, value in fresh_secrets().items()))

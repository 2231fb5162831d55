"""Secrets as a file may state them: `env:NAME`, `file:PATH` (relative to the file), or in clear."""

from __future__ import annotations

import os
from pathlib import Path

MAX_SECRET_BYTES = 64 * 1024


class SecretMissing(Exception):
    """The message says what was expected where; it never holds the secret."""


def resolve(stated: str, *, base: Path) -> str:
    """Raises SecretMissing."""
    scheme, _, rest = stated.partition(":")
    if scheme == "env" and rest:
        value = os.environ.get(rest, "")
        if not value:
            raise SecretMissing(f"expected the environment variable {rest} to be set")
        return value
    if scheme == "file" and rest:
        path = base / Path(rest).expanduser()
        try:
            if path.stat().st_size > MAX_SECRET_BYTES:
                raise SecretMissing(f"expected {path} to be at most {MAX_SECRET_BYTES} bytes")
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SecretMissing(f"expected to read {path} ({type(error).__name__})") from None
        if not value:
            raise SecretMissing(f"expected a secret in {path}, which is empty")
        return value
    return stated

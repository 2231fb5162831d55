"""Texts as they come in a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def pieces(text: str, size: int = 7) -> Iterator[str]:
    for start in range(0, len(text), size):
        yield text[start : start + size]


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def event(data: Any, name: str = "") -> bytes:
    """One server-sent event."""
    line = f"data: {dumped(data)}\n\n"
    return (f"event: {name}\n{line}" if name else line).encode()

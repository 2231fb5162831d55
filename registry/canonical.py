"""One spelling for JSON that came from elsewhere, so that equal meaning has an equal digest and nothing else has.

The canonical form is RFC 8785's in all that tool definitions and agent cards use: members sorted, no white space,
UTF-8. Strings are never normalized: a definition that differs only in invisible characters is a different definition.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

MAX_DEPTH = 64

_SURROGATE = re.compile("[\ud800-\udfff]")


class NotCanonical(ValueError):
    """JSON that two parsers may read differently, or that no parser should have to read."""


def parse(raw: bytes | str) -> Any:
    """The value of `raw`. Refuses what parsers take differently or databases do not: duplicate members, NaN and
    infinities, NUL characters, lone surrogates, absurd nesting.

    Raises NotCanonical.
    """
    try:
        value = json.loads(raw, object_pairs_hook=_members, parse_constant=_constant)
    except RecursionError:
        raise NotCanonical("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise NotCanonical("it is not UTF-8") from None
    except ValueError as error:
        raise NotCanonical(str(error)) from None
    _check(value, 0)
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise NotCanonical(f"the member {name!r} is given twice")
            seen.add(name)
    return members


def _constant(name: str) -> Any:
    raise NotCanonical(f"{name} is not JSON")


def _check(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NotCanonical("it is nested too deeply")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_text(name)
            _check(member, depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth + 1)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise NotCanonical("it holds a NUL character")
    if not text.isascii() and _SURROGATE.search(text):
        raise NotCanonical("it holds a lone surrogate")


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def digest(value: Any) -> str:
    """SHA-256 of the canonical form, in hex."""
    return hashlib.sha256(encode(value)).hexdigest()


def pretty(value: Any) -> str:
    """For people: the canonical order, indented."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2)

"""Cached contents that a call refers to at Google. The house serves no address that makes them, so whatever is named is
somebody else's: another's who uses the same account, or the house's own.

Files are no such references: the house does not keep any at Google either, but their ids can't be guessed or listed, and
whoever has one was given it. Films, pages and objects in a bucket have public addresses or rules of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from dataplane.errors import BadRequest

_SUSPECT = re.compile(rb"cached|\\u00[4-7]")
_CACHES = frozenset({"cachedContent", "cached_content"})
_OPAQUE = frozenset({"args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema", "labels"})
"""Members whose inside is the caller's own, and looked up by nobody."""


def google_references(body: bytes) -> list[str]:
    """Each once, in the body of a call of Google's own dialect. Of a member that is there twice, both are looked at: which one
    counts is up to Google's parser. Raises BadRequest."""
    if _SUSPECT.search(body) is None:
        return []
    try:
        return list(dict.fromkeys(_walk(json.loads(body, object_pairs_hook=tuple))))
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON.", code="invalid_json") from None


def _walk(value: Any) -> Iterator[str]:
    """An object is a tuple of its members."""
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left.extend(reversed(value))
        elif isinstance(value, tuple):
            yield from (inner for name, inner in value if name in _CACHES and inner and isinstance(inner, str))
            left.extend(inner for name, inner in value if name not in _OPAQUE)

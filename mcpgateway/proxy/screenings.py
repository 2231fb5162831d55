"""What listings became: kept, since a server is asked for the same list over and over."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

MAX_BYTES = 8 * 1024 * 1024
"""Of listings and what they became, for one server."""


class Screening(msgspec.Struct, frozen=True):
    """What a listing became, and which approved tools it showed unchanged and changed."""

    out: bytes
    good: frozenset[str]
    bad: frozenset[str]


class Screened:
    """The last screenings by what they were made for, bounded in bytes: an unchanged listing costs one comparison."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[object, bytes], Screening] = OrderedDict()
        self._size = 0

    def get(self, key: object, result: bytes) -> Screening | None:
        return self._held.get((key, result))

    def put(self, key: object, result: bytes, screening: Screening) -> None:
        self._held[key, result] = screening
        self._size += len(result) + len(screening.out)
        while self._size > MAX_BYTES and self._held:
            (_, old), dropped = self._held.popitem(last=False)
            self._size -= len(old) + len(dropped.out)

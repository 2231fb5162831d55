"""Reads and writes an answer that comes in one piece and is neither streamed nor generated: counts, vectors, rankings."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dataplane.call import Meter, Usage
from dataplane.errors import Garbled
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.endpoint import UNREADABLE


class WholeMeter(Meter):
    """`rewrite` gives the caller's answer and what was used of the upstream's body; it raises Unreadable and what decoding
    does. `what` names the answer for people. `free` says that {} means nothing and not that nothing was told; otherwise
    `estimate` is asked then."""

    __slots__ = ("_estimate", "_free", "_rewrite", "_usage", "_what")

    def __init__(
        self, rewrite: Callable[[bytes], tuple[Json, Usage]], *, what: str, free: bool = False, estimate: Callable[[], Usage] = dict
    ) -> None:
        super().__init__()
        self._rewrite = rewrite
        self._what = what
        self._free = free
        self._estimate = estimate
        self._usage: Usage = {}

    def whole(self, body: bytes) -> bytes:
        try:
            answer, self._usage = self._rewrite(body)
            return msgspec.json.encode(answer)
        except (Unreadable, *UNREADABLE) as error:
            raise Garbled(f"The upstream's {self._what} can not be read.", raw=body) from error

    def usage(self) -> Usage | None:
        return self._usage if self._usage or self._free else None

    def partial(self) -> Usage:
        return self._estimate()

"""Where settled lines go: straight into a sink in this process, or onto a Redis stream that the ledger's side drains."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from dataplane.events import UsageEvent
from dataplane.segments import Chunk

if TYPE_CHECKING:
    import redis

log = logging.getLogger(__name__)

WINDOW = 32
"""Chunks sent but not confirmed per journal: with chunks of 256 KiB at the most 8 MiB in Redis, the rest waits on disk."""

LOST_AFTER = 5.0
"""Seconds between two looks whether a chunk that is not confirmed is still in the stream. A look costs its transfer."""

STREAM = "ch:usage"

Sink = Callable[[list[UsageEvent]], object]
_decoder = msgspec.json.Decoder(UsageEvent)


@dataclass(slots=True)
class Flight:
    """A chunk on its way. `receipt` is what the outlet knows it by; `seen_at` is when it was sent or last found, monotonic."""

    chunk: Chunk
    receipt: str
    seen_at: float

    @property
    def tag(self) -> str:
        return f"{self.chunk.start.seq}:{self.chunk.start.offset}"


class Outlet(Protocol):
    """Where lines go. Both calls raise when it can't be reached; then everything is tried again later."""

    def send(self, source: str, chunks: Sequence[Chunk]) -> Sequence[str | None]:
        """A receipt for each chunk, None for one that is confirmed already."""

    def confirmed(self, source: str, oldest: Flight) -> tuple[set[str], bool]:
        """Tags of flights confirmed since the last call, and whether `oldest` is lost and must be sent again."""


class SinkOutlet:
    """Calls the sink, which has stored the events when it returns. A line that can't be read is put aside, not dropped."""

    def __init__(self, sink: Sink, *, aside: Path) -> None:
        self._sink = sink
        self._aside = aside

    def send(self, source: str, chunks: Sequence[Chunk]) -> Sequence[None]:
        events: list[UsageEvent] = []
        unreadable: list[bytes] = []
        for line in (line for chunk in chunks for line in chunk.lines):
            try:
                events.append(_decoder.decode(line))
            except msgspec.MsgspecError:
                unreadable.append(line)
        if events:
            self._sink(events)
        if unreadable:
            log.error("journal %s: %d unreadable lines are put aside in %s", source, len(unreadable), self._aside)
            with self._aside.open("ab") as file:
                file.writelines(line + b"\n" for line in unreadable)
        return [None] * len(chunks)

    def confirmed(self, source: str, oldest: Flight) -> tuple[set[str], bool]:
        return set(), False


class StreamOutlet:
    """XADDs each chunk as one entry `{source, tag, lines}`. The ledger's side answers on the list `<stream>:done:<source>`
    with the tags it has committed, in one transaction with deleting the entries."""

    def __init__(self, client: redis.Redis, *, stream: str = STREAM) -> None:
        self._redis = client
        self._stream = stream

    def send(self, source: str, chunks: Sequence[Chunk]) -> Sequence[str | None]:
        with self._redis.pipeline(transaction=True) as pipe:
            for chunk in chunks:
                tag = f"{chunk.start.seq}:{chunk.start.offset}"
                pipe.xadd(self._stream, {"source": source, "tag": tag, "lines": b"\n".join(chunk.lines)})
            return [_text(receipt) for receipt in pipe.execute()]

    def confirmed(self, source: str, oldest: Flight) -> tuple[set[str], bool]:
        now = time.monotonic()
        look = now - oldest.seen_at > LOST_AFTER
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.lpop(f"{self._stream}:done:{source}", 10 * WINDOW)
            if look:
                pipe.xrange(self._stream, oldest.receipt, oldest.receipt)
            tags, *found = pipe.execute()
        done = {_text(tag) for tag in tags or ()}
        if look:
            oldest.seen_at = now
        return done, look and not found[0] and oldest.tag not in done


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()

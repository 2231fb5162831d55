"""A stream on its way to the caller: its head, its events, signs of life while there are none, and its end.

The head is held back until the first event, so that a true status can be sent and another deployment may be tried. A model
that thinks for long makes the caller believe that nobody is there: then the head goes out, and beats behind it. From there
on a failure can only be told in-band.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from dataplane.call import Meter, Usage
from dataplane.errors import HouseError, UpstreamFailed, UpstreamTimeout
from dataplane.upstream import Answer

if TYPE_CHECKING:
    from dataplane.attempt import Attempt

BEAT_AFTER = 10.0
"""Seconds without an event after which the caller gets a sign of life, and again as often."""

MOST_COMMENTS = 16 * 1024
"""Bytes of comments that are held back. Whoever sends more has begun, and will not be gathered without end."""

DRAIN_AT_MOST = 300.0
"""Seconds that a stream is read on for its usage when its caller has left."""


class Stalled(UpstreamTimeout):
    """A stream's next event did not come in the time that its model allows. Its upstream has begun, and may bill."""

    code = "upstream_stalled"
    sent = True


class Relay:
    """One stream. `look` is called from a timer beside it, every now and then."""

    __slots__ = ("_answer", "_attempt", "_beating", "_drain_until", "_eventful", "_exchange", "_last", "_late", "_meter", "_told")

    def __init__(self, attempt: Attempt, answer: Answer, meter: Meter) -> None:
        self._attempt = attempt
        self._exchange = attempt.exchange
        self._answer = answer
        self._meter = meter
        self._last = self._told = time.monotonic()
        self._eventful = False
        self._late: Stalled | None = None
        self._beating: asyncio.Task[None] | None = None
        self._drain_until = 0.0

    async def run(self) -> None:
        """Relays to the end. Raises UpstreamFailed while another deployment may still be tried: nothing was sent then."""
        try:
            out = b"" if self._exchange.call.head_first else await self._first()
        except UpstreamFailed as error:
            if not self._exchange.started:
                raise
            await self._end(self._broken(error))
            return
        except asyncio.CancelledError:
            late = await self._cancelled()
            if not self._exchange.started:
                raise late from None
            await self._end(self._broken(late))
            return
        await self._quiet()
        self._attempt.entry.first_byte = time.perf_counter()
        if not self._exchange.started:
            await self._head()
        await self._pump(out)

    async def _first(self) -> bytes:
        """What the caller gets of the first events. Where the house gives signs of life itself, comments are none: they are held
        back until there is an event, or too many of them."""
        out, most = b"", MOST_COMMENTS if self._meter.beat else 0
        while not out or (len(out) < most and _only_comments(out)):
            data = await self._answer.chunk()
            if data is None:
                out += self._meter.finish()
                break
            out += self._meter.feed(data)
        if not out:
            raise UpstreamFailed("The upstream opened a stream and closed it without an event.")
        self._eventful = True
        self._last = time.monotonic()
        return out

    async def _head(self) -> None:
        """Once: by the first event, or by the first beat before it."""
        self._exchange.started = True
        headers = [*self._attempt.headers(self._answer), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        await self._exchange.send({"type": "http.response.start", "status": self._answer.status, "headers": headers})

    async def _pump(self, out: bytes) -> None:
        """A stream that breaks ends with an error of the caller's protocol, never in silence."""
        exchange, meter, answer = self._exchange, self._meter, self._answer
        send, now = exchange.request.send, time.monotonic
        try:
            await exchange.send({"type": "http.response.body", "body": out, "more_body": True})
            while (data := await answer.chunk()) is not None:
                if out := meter.feed(data):
                    if exchange.gone:
                        break
                    if self._beating is not None:
                        await self._quiet()
                    # As `exchange.send` does it, without the coroutine: this is what every event comes through.
                    exchange.sending_since = began = now()
                    if not _only_comments(out):
                        self._last = began
                    await send({"type": "http.response.body", "body": out, "more_body": True})
                    exchange.sending_since = 0.0
            if exchange.gone:
                self._attempt.settle("aborted", usage=await self.drained())
                return
            tail = meter.finish()
            self._attempt.settle(outcome_of(meter), usage=meter.usage())
        except UpstreamFailed as error:
            tail = self._broken(error)
        except asyncio.CancelledError:
            if self._left_while_written_to():
                self._attempt.settle("aborted", usage=await self.drained())
                return
            tail = self._broken(await self._cancelled())
        await self._end(tail)

    async def _cancelled(self) -> Stalled:
        """By a timeout of this stream, which is given: the call goes on. Raises CancelledError when the caller left or it
        was cut from outside: then it is over, which is said in-band."""
        task, exchange = asyncio.current_task(), self._exchange
        if self._late is not None and task is not None and not exchange.gone and exchange.cut is None:
            task.uncancel()
            return self._late
        if exchange.cut and exchange.started:
            await self._end_cut()
        raise asyncio.CancelledError

    def _left_while_written_to(self) -> bool:
        """Whether the caller left in the middle of a write, of a stream that is to be read on. Then the write is given up
        and nothing else is."""
        task, exchange = asyncio.current_task(), self._exchange
        left = exchange.gone and exchange.cut is None and self._attempt.leg.drains and not self._drain_until
        if left and task is not None:
            exchange.sending_since = 0.0
            task.uncancel()
        return left

    async def _end(self, tail: bytes) -> None:
        await self._quiet()
        if not self._exchange.gone:
            await self._exchange.send({"type": "http.response.body", "body": tail, "more_body": False})

    def _broken(self, failure: UpstreamFailed) -> bytes:
        """Settles, and words the failure for the caller's protocol."""
        meter, attempt = self._meter, self._attempt
        attempt.note(failure)
        tail = meter.broken(failure, self._exchange.request.id)
        if meter.complete:
            attempt.settle(outcome_of(meter), usage=meter.usage())
        else:
            attempt.settle("error", usage=meter.usage(), status=failure.status)
        return tail

    async def _end_cut(self) -> None:
        exchange = self._exchange
        error = HouseError(f"The house ended this stream: {exchange.cut}", code="stream_cut")
        tail = self._meter.broken(error, exchange.request.id)
        if not exchange.sending_since:
            await exchange.request.send({"type": "http.response.body", "body": tail, "more_body": False})

    async def drained(self) -> Usage | None:
        """The usage of a stream whose caller has left. Only where its provider bills on is it read to its end."""
        if self._attempt.leg.drains:
            self._attempt.relay = self
            self._drain_until = self._drain_until or time.monotonic() + DRAIN_AT_MOST
            try:
                while (data := await self._answer.chunk()) is not None:
                    self._meter.feed(data)
                self._meter.finish()
            except UpstreamFailed:
                pass
        return self._meter.usage()

    # -- beside the stream

    def look(self) -> None:
        """Sends a beat where it is time for one, ends a wait that has taken too long. Costs nothing else."""
        now = time.monotonic()
        exchange = self._exchange
        if exchange.gone:
            if not self._drain_until:
                self._drain_until = now + DRAIN_AT_MOST
            elif now > self._drain_until and exchange.task is not None:
                exchange.task.cancel()
            return
        if exchange.sending_since or self._late is not None:
            return
        call = exchange.call
        limit = call.idle if self._eventful else call.first_event
        if limit is not None and now - self._last > limit:
            what = "the next event" if self._eventful else "the first event"
            self._late = Stalled(f"The upstream took longer than {limit:g} s to {what}.")
            if exchange.task is not None:
                exchange.task.cancel()
        elif self._meter.beat and self._beating is None and now - max(self._last, self._told) > BEAT_AFTER:
            self._told = now
            self._beating = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        try:
            if not self._exchange.started:
                await self._head()
            await self._exchange.send({"type": "http.response.body", "body": self._meter.beat, "more_body": True})
        finally:
            self._beating = None

    async def _quiet(self) -> None:
        """No beat is under way any more."""
        if self._beating is not None:
            await asyncio.wait([self._beating])


def _only_comments(block: bytes) -> bool:
    """Whether these events of a stream say nothing: comments, by which a provider keeps the connection open."""
    return block[:1] == b":" and b"\ndata:" not in block and b"\rdata:" not in block


def outcome_of(meter: Meter) -> str:
    return "error" if meter.failed else "ok"

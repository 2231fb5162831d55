"""A call and the answers that are kept: it may be answered with one, and its own may be kept for the next.

There are two reasons to keep one. Its *question* may be asked again by others who may have the same answer (the response
cache, for a time); and its caller may send *this very call* again (an Idempotency-Key, for a day). Either way the answer that
is given costs nothing and takes nothing of any budget, counts as one request, and leaves one usage event that says what it
has saved.

What is kept is what was read whole. A stream whose caller leaves is stopped as ever, and then nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dataplane import money
from dataplane.answers import Kept
from dataplane.asgi import Headers, Request
from dataplane.call import Call, Leg, Meter
from dataplane.entry import Entry
from dataplane.giving import Giving, nowhere
from dataplane.idempotency import MOST_BODY, Order
from dataplane.kit import withdrawn
from dataplane.listening import Listening, Overhearing
from dataplane.money import Rates
from dataplane.upstream import Answer

if TYPE_CHECKING:
    from dataplane.exchange import Exchange
    from dataplane.kit import Kit
    from dataplane.limits import Admission

MOST_CACHED = 1024 * 1024
NOTHING_DONE = frozenset((401, 402, 407, 408, 429, 503, 529))
"""Statuses with which an upstream says that it did not begin: sent again, the call is made again."""

ROUTE, COST, CACHE = b"x-customhouse-route", b"x-customhouse-cost", b"x-customhouse-cache"


class Question:
    """What others may ask again. `read` False: the caller wants an answer of its own, which may be kept all the same."""

    __slots__ = ("key", "read", "seconds")

    def __init__(self, key: bytes, *, seconds: float, read: bool = True) -> None:
        self.key, self.seconds, self.read = key, seconds, read


class Keeping:
    """Of one call. `rates(provider, deployment)` are those of today; `headers` are its caller's own, on every answer."""

    __slots__ = ("_claimed", "_kit", "_order", "_question", "_rates", "call", "exchange", "headers", "told")

    def __init__(
        self,
        kit: Kit,
        call: Call,
        *,
        rates: Callable[[str, str], Rates | None],
        question: Question | None = None,
        order: Order | None = None,
        headers: Headers = (),
    ) -> None:
        self._kit = kit
        self.call = call
        self._rates = rates
        self._question = question
        self._order = order
        self._claimed = False
        self.headers = headers
        self.exchange: Exchange | None = None
        self.told = b"" if question is None else b"miss" if question.read else b"bypass"
        """What an answer says about the cache; b"" where it is not asked."""

    async def answered(self, request: Request) -> bool:
        """Whether the caller has been given a kept answer. False: the call is to be made, and `end` follows in any case.
        Raises HouseError."""
        kit, order, question = self._kit, self._order, self._question
        if order is not None:
            kept = await kit.claims.claim(order)
            if kept is not None:
                await self._give(request, kept, route=b"replay", more=[(b"idempotent-replayed", b"true")])
                return True
            self._claimed = True
            request.send = Overhearing(self, request.send)
        if question is not None and question.read and (found := kit.answers.get(question.key)) is not None:
            kept, age = found
            await self._give(request, kept, route=b"cache", more=[(CACHE, b"hit"), (b"age", b"%d" % age)])
            return True
        return False

    async def _give(self, request: Request, kept: Kept, *, route: bytes, more: Headers) -> None:
        kit, call = self._kit, self.call
        call.estimate = {}
        admission = kit.limits.try_admit(call.key, reserve=None, tokens=0, model=call.expectation)
        if admission is None:
            admission = await kit.limits.admit(call.key, reserve=None, tokens=0, model=call.expectation)
        try:
            current = kit.store.current
            if current is not call.snapshot and (reason := withdrawn(call, current)) is not None:
                raise reason
            self._write_down(request, kept, route.decode(), admission)
            if self._claimed and self._order is not None:
                self._claimed = False
                kit.claims.finish(self._order, kept)
            limits = [(name.encode(), value.encode()) for name, value in admission.headers()]
            own = [*self.headers, (b"x-request-id", request.id.encode()), (ROUTE, route), (COST, b"0")]
            await Giving(kit, call, request).run(kept, [*own, *more, *limits])
        finally:
            admission.settle(None, 0)

    def _write_down(self, request: Request, kept: Kept, route: str, admission: Admission) -> None:
        """Raises JournalFull."""
        entry = Entry(self.call, nowhere(route), request.id)
        rates = self._rates(kept.provider, kept.deployment) if kept.usage else None
        if rates is not None and kept.usage:
            entry.saved = money.atto_to_text(rates.charge(kept.usage))
        entry.intend(self._kit, admission)
        entry.settle(self._kit, "ok" if kept.status < 400 else "error", usage={}, estimated=False, status=kept.status)

    # -- its own answer

    def listen(self, meter: Meter, leg: Leg, answer: Answer) -> Meter:
        """Reads along with the reader of a success."""
        most = MOST_BODY if self._claimed else MOST_CACHED
        return Listening(self, meter, leg=leg, answer=answer, most=most)

    def whole(self, kept: Kept | None) -> None:
        """An answer has been read to its end, before its last piece goes to the caller. None: it is too large."""
        kit, question = self._kit, self._question
        if question is not None and kept is not None and kept.status == 200 and len(kept.body) <= MOST_CACHED:
            kit.answers.put(question.key, kept, seconds=question.seconds)
        if self._claimed and self._order is not None:
            self._claimed = False
            kit.claims.finish(self._order, kept)

    def refused(self, kept: Kept) -> None:
        """The caller is about to be told that it failed. That is the answer for good where something may have been done."""
        exchange = self.exchange
        if exchange is None or exchange.cut is not None or exchange.attempt is None or not exchange.attempt.entry.settled:
            return
        if kept.status in NOTHING_DONE:
            return
        answer = exchange.attempt.answer
        said_no = answer is not None and answer.status >= 400 and answer.status not in NOTHING_DONE
        if said_no or exchange.nano or exchange.tokens:
            self.whole(kept)

    def end(self) -> None:
        """The call is over: what was not done may be done by the next one."""
        if self._claimed and self._order is not None:
            self._claimed = False
            self._kit.claims.release(self._order)

    @property
    def expected_again(self) -> bool:
        """Whether its caller will ask for the answer again when it does not get it."""
        return self._claimed

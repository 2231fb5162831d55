"""One attempt of a call at one upstream: an intent before it, one settlement after it, whatever happens in between.

Nothing is written to the caller before the first byte of an answer is at hand, so until then another deployment may be
tried and a true status can be sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dataplane import money
from dataplane.call import Leg, Meter, Usage
from dataplane.entry import Entry
from dataplane.errors import Garbled, HouseError, UpstreamFailed
from dataplane.relay import Relay, Stalled, outcome_of
from dataplane.upstream import Answer

if TYPE_CHECKING:
    from dataplane.exchange import Exchange

ERROR_BODY = 1024 * 1024


class Attempt:
    """One leg."""

    DONE = Leg.__new__(Leg)
    """Marks that the caller has been answered."""

    __slots__ = ("answer", "entry", "exchange", "failure", "leg", "meter", "relay")

    def __init__(self, exchange: Exchange, leg: Leg) -> None:
        self.exchange = exchange
        self.leg = leg
        self.failure: HouseError | None = None
        self.meter: Meter | None = None
        self.answer: Answer | None = None
        self.entry = Entry(exchange.call, leg, exchange.request.id)
        self.relay: Relay | None = None

    async def run(self, legs: Iterator[Leg]) -> Leg | None:
        """The next leg to try, None when there is none left (`failure` says why), DONE when the caller was answered."""
        exchange, leg = self.exchange, self.leg
        exchange.attempt = self
        exchange.tries += 1
        named = f"{leg.provider}/{leg.deployment}" if leg.provider else leg.deployment
        exchange.route = f"{named}; tries={exchange.tries}".encode("latin-1", "replace")
        self.entry.intend(exchange.kit, exchange.admission)
        exchange.waiting = True
        try:
            answer = await self._send()
        except UpstreamFailed as error:
            return self._lost(error, legs)
        except BaseException:
            self.settle("aborted", usage=None)
            raise
        finally:
            exchange.waiting = False
        try:
            self.answer = answer
            if exchange.gone:
                return await self._unwanted(answer)
            return await self._relay(answer, legs)
        except UpstreamFailed as error:
            return self._lost(error, legs)
        except BaseException:
            meter = self.meter
            outcome = outcome_of(meter) if meter is not None and meter.complete else "aborted"
            self.settle(outcome, usage=meter.usage() if meter is not None else None)
            raise
        finally:
            await answer.close()

    async def _send(self) -> Answer:
        """A stream's head has to come in the time that its first event has."""
        leg, call = self.leg, self.exchange.call
        headers = leg.headers if leg.authorize is None else [*leg.headers, *await leg.authorize()]
        if not (call.stream and call.first_event):
            return await leg.upstream.send(leg.method, leg.url, headers=headers, body=leg.body, stream=call.stream)
        try:
            async with asyncio.timeout(call.first_event):
                return await leg.upstream.send(leg.method, leg.url, headers=headers, body=leg.body, stream=True)
        except TimeoutError:
            raise Stalled(f"The upstream took longer than {call.first_event:g} s to answer.") from None

    async def _unwanted(self, answer: Answer) -> Leg:
        """The caller left before the head came. A stream is stopped here, unless its provider bills on; what is answered in
        one piece is paid for in full by now, so its true usage is read."""
        usage: Usage | None = {}
        if answer.status < 400:
            self.meter = meter = self._metered(answer)
            if not self.exchange.call.is_stream(answer):
                meter.whole(await answer.read())
                usage = meter.usage()
            elif self.leg.drains:
                usage = await Relay(self, answer, meter).drained()
            else:
                usage = None
        self.settle("aborted", usage=usage)
        return self.DONE

    async def _relay(self, answer: Answer, legs: Iterator[Leg]) -> Leg | None:
        call = self.exchange.call
        if answer.status >= 400:
            return await self._refused(answer, await answer.read(limit=ERROR_BODY), legs)
        self.meter = meter = self._metered(answer)
        if call.is_stream(answer):
            self.relay = Relay(self, answer, meter)
            await self.relay.run()
            return self.DONE
        body = meter.whole(await answer.read())
        cost = self.settle(outcome_of(meter), usage=meter.usage())
        await self._respond(answer, body, cost=cost)
        return self.DONE

    def _metered(self, answer: Answer) -> Meter:
        call = self.exchange.call
        meter = call.meter(self.leg, answer)
        return meter if call.keeping is None else call.keeping.listen(meter, self.leg, answer)

    async def _refused(self, answer: Answer, body: bytes, legs: Iterator[Leg]) -> Leg | None:
        """The upstream said no, which costs nothing. Where the house takes that on itself another deployment may do better;
        whether there is one is known before the admission is settled, or what that one costs would be counted nowhere."""
        call, passed = self.exchange.call, b""
        try:
            passed = call.errored(answer, body)
        except HouseError as error:
            self.failure = error
        worth = call.may_retry(answer.status) or isinstance(self.failure, UpstreamFailed)
        following = next(legs, None) if worth else None
        self.settle("error", usage={}, last=following is None)
        if following is not None:
            return following
        if self.failure is not None:
            raise self.failure
        await self._respond(answer, passed)
        return self.DONE

    def _lost(self, error: UpstreamFailed, legs: Iterator[Leg]) -> Leg | None:
        """The upstream failed before the caller got anything. What may have been billed is settled as an estimate."""
        if self.exchange.started:
            raise error
        self.note(error)
        self.failure = error
        usage: Usage | None = None if getattr(error, "sent", True) else {}
        try:
            following = next(legs, None)
        except BaseException:
            self.settle("error", usage=usage, status=error.status)
            raise
        self.settle("error", usage=usage, status=error.status, last=following is None)
        return following

    def note(self, error: UpstreamFailed) -> None:
        """Keeps the raw bytes of what could not be read, where its reader asks for that."""
        if isinstance(error, Garbled):
            leg = self.leg
            self.exchange.kit.debug.keep(
                self.exchange.request.id, provider=f"{leg.provider}/{leg.deployment}", why=error.message, raw=error.raw
            )

    async def _respond(self, answer: Answer, body: bytes, *, cost: str | None = None) -> None:
        exchange = self.exchange
        headers = self.headers(answer)
        if cost is not None:
            headers.append((b"x-customhouse-cost", cost.encode()))
        if answer.status != 204:
            headers.append((b"content-length", b"%d" % len(body)))
        exchange.started = True
        await exchange.request.send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await exchange.request.send({"type": "http.response.body", "body": body})

    def headers(self, answer: Answer) -> list[tuple[bytes, bytes]]:
        exchange = self.exchange
        headers = [
            *exchange.call.answer_headers(answer),
            (b"x-request-id", exchange.request.id.encode()),
            (b"x-customhouse-route", exchange.route),
        ]
        keeping = exchange.call.keeping
        if keeping is not None and keeping.told:
            headers.append((b"x-customhouse-cache", keeping.told))
        if limits := {name.encode(): value.encode() for name, value in exchange.admission.headers()}:
            # The caller's own limits stand in the place of those that the upstream sets the house.
            headers = [*(pair for pair in headers if pair[0] not in limits), *limits.items()]
        return headers

    def settle(self, outcome: str, *, usage: Usage | None, status: int = 0, last: bool = True) -> str | None:
        """Writes the leg's one settlement; later calls do nothing. `usage` None: estimated from what passed. What it cost,
        in USD; None when that is not known or not kept.

        The `last` leg settles the admission in the same step, see Entry."""
        entry, exchange, call = self.entry, self.exchange, self.exchange.call
        if entry.settled:
            return None
        estimated = usage is None
        if usage is None:
            usage = call.estimate if self.meter is None else call.estimate | self.meter.partial()
        status = status or (self.answer.status if self.answer is not None else 0)
        charge = entry.settle(exchange.kit, outcome, usage=usage, estimated=estimated, status=status)
        if not call.journaled:
            return None
        exchange.account(charge, usage)
        if last:
            exchange.admission.settle(exchange.nano, exchange.tokens)
        return None if charge is None else money.atto_to_text(charge)

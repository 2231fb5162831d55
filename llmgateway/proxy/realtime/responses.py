"""The responses of one connection. Each is a leg of its own: admitted before it starts, written down before it starts, and
settled once when it is done, whoever started it.

    ask         the client wants one (`response.create`): it is admitted, or the client's event does not go out
    began       the upstream has started one. Without one that was asked for it was started by itself (turn detection): it
                is admitted now; where that is refused it is to be cancelled, and what it has cost by then is owed
    ended       `response.done`, with its usage
    declined    the upstream refused what was asked
    transcribed the client's speech was written down by another model, billed by itself

Which one of those asked for has begun is not told by the upstream: the oldest is taken. Where that is wrong (the client asked
while turn detection did) the later one is admitted by itself, so none is ever served without.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from dataplane.call import Call, Leg, Usage
from dataplane.errors import BudgetExceeded, HouseError, JournalFull, RateLimited, Unavailable
from dataplane.money import atto_to_nano
from llmgateway.proxy.realtime.context import Context
from llmgateway.proxy.realtime.server_events import Delta, Ended, usage_of
from llmgateway.proxy.realtime.turn import Turn, TurnCall
from llmgateway.proxy.realtime.usage import tokens_of

if TYPE_CHECKING:
    from dataplane.kit import Kit
    from dataplane.limits import Admission

MOST_OPEN = 64
"""Responses of one connection at a time, those that are asked for included. Providers allow one in a conversation and few beside."""

BRIEFLY = 1.0
"""Seconds that the admission of what has begun already may take."""

REMEMBERED = 256
"""Ended responses whose ids are known, so that one that is ended twice is paid for once."""

MOST_ID = 256
"""Characters of an id that are kept."""


class Responses:
    """`leg` names where they are made and at which rates; `request_id` is the connection's, to which each adds its number."""

    def __init__(self, kit: Kit, call: Call, leg: Leg, *, request_id: str, max_output: int) -> None:
        self.context = Context()
        self.session_output: int | None = None
        self._kit = kit
        self._call = call
        self._leg = leg
        self._request_id = request_id
        self._max_output = max_output
        self._number = 0
        self._asked: deque[Turn] = deque()
        self._open: dict[str, Turn] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()

    @property
    def under_way(self) -> int:
        return len(self._asked) + len(self._open)

    async def ask(self, event_id: str | None, *, max_output: int | None) -> None:
        """Admits what the client asks for. Raises what refuses it."""
        if self._kit.draining:
            raise _draining()
        if self.under_way >= MOST_OPEN:
            raise RateLimited(f"More than {MOST_OPEN} responses at a time were asked for on one connection.", retry_after=1)
        call = self._call_now()
        admission = await self._admit(call, max_output)
        turn = self._turn(call, self._leg, admission)
        turn.event_id = _kept(event_id)
        try:
            turn.entry.intend(self._kit, admission)
        except JournalFull:
            admission.settle(None, 0)
            raise
        self._asked.append(turn)

    async def began(self, response: str) -> HouseError | None:
        """Why it has to be cancelled; None where it may go on. Raises RateLimited when no end can be seen to them."""
        response = response[:MOST_ID]
        if response in self._open or response in self._ended:
            return None
        if self._asked:
            self._open[response] = self._asked.popleft()
            return None
        if len(self._open) >= MOST_OPEN:
            raise RateLimited(f"The upstream started more than {MOST_OPEN} responses at a time.", retry_after=1)
        call, refusal = self._call_now(), None
        try:
            if self._kit.draining:
                raise _draining()
            admission = await self._admit_briefly(call)
        except HouseError as error:
            refusal = error
            admission = self._kit.limits.owe(call.key, model=call.expectation)
        turn = self._open[response] = self._turn(call, self._leg, admission)
        unwritten = self._intend(turn)
        refusal = refusal or unwritten
        turn.refused = refusal is not None
        return refusal

    def passed(self, kind: str, delta: Delta) -> None:
        if (turn := self._open.get(delta.response_id)) is not None:
            turn.passed(kind, delta)

    def ended(self, done: Ended) -> None:
        """Settles it by its usage. One that nobody saw begin has been made all the same."""
        response = done.id[:MOST_ID]
        if response in self._ended:
            return
        turn = self._open.pop(response, None)
        if turn is None:
            turn = self._asked.popleft() if self._asked else self._unseen()
        self._remember(response)
        usage = usage_of(done)
        if usage is not None:
            self.context.learn(tokens_of(usage))
        elif done.status == "failed":
            usage = {}
        outcome = "aborted" if turn.refused else "error" if done.status == "failed" else "ok"
        turn.settle(self._kit, outcome, usage=usage, status=200)

    def declined(self, event_id: str | None) -> None:
        """An `error` of the upstream. It tells which event of the client it is about where that had an id; one without can
        only be about a response that was asked for without one."""
        for turn in self._asked:
            if turn.event_id == _kept(event_id):
                self._asked.remove(turn)
                turn.settle(self._kit, "error", usage={}, status=400)
                return

    async def transcribed(self, usage: Usage | None, *, by: Leg, model: str) -> HouseError | None:
        """Settles a transcription, and answers why no further one can be paid for."""
        call = TurnCall(self._kit, self._call, model=model, kind="transcript", estimate={})
        charge = by.rates.charge(usage) if by.rates is not None and usage else None
        refusal: HouseError | None = None
        try:
            admission = await self._ask_briefly(call, None if charge is None else atto_to_nano(charge))
        except HouseError as error:
            admission = self._kit.limits.owe(call.key, model=call.expectation)
            refusal = None if isinstance(error, RateLimited) else error
        turn = self._turn(call, by, admission)
        unwritten = self._intend(turn)
        refusal = refusal or unwritten
        turn.settle(self._kit, "ok", usage=usage, status=200)
        return refusal

    def close(self, outcome: str) -> None:
        """The connection is over: what is open is settled as an estimate."""
        turns = [*self._asked, *self._open.values()]
        self._asked.clear()
        self._open.clear()
        for turn in turns:
            turn.settle(self._kit, outcome, usage=None, status=0)

    def _call_now(self) -> TurnCall:
        return TurnCall(self._kit, self._call, model=self._call.model, kind="realtime", estimate=self.context.likely())

    def _turn(self, call: TurnCall, leg: Leg, admission: Admission) -> Turn:
        self._number += 1
        return Turn(call, leg, f"{self._request_id}.{self._number}", admission=admission)

    def _unseen(self) -> Turn:
        call = self._call_now()
        turn = self._turn(call, self._leg, self._kit.limits.owe(call.key, model=call.expectation))
        self._intend(turn)
        return turn

    def _intend(self, turn: Turn) -> JournalFull | None:
        """Of what has begun: a journal that is full can't undo that."""
        try:
            turn.entry.intend(self._kit, turn.admission)
        except JournalFull as error:
            return error
        return None

    async def _admit(self, call: TurnCall, max_output: int | None) -> Admission:
        output = max_output or self.session_output or self._max_output
        reserve = None
        if self._leg.rates is not None:
            reserve = self._leg.rates.reserve(input_tokens=self.context.most, output_tokens=output, spoken=True)
        tokens = call.estimate["input"] + (max_output or 0)
        limits = self._kit.limits
        return await limits.admit(call.key, reserve=reserve, tokens=tokens, model=call.expectation, within=True)

    async def _admit_briefly(self, call: TurnCall) -> Admission:
        try:
            async with asyncio.timeout(BRIEFLY):
                return await self._admit(call, None)
        except TimeoutError:
            raise _held() from None

    async def _ask_briefly(self, call: TurnCall, reserve: int | None) -> Admission:
        try:
            async with asyncio.timeout(BRIEFLY):
                return await self._kit.limits.admit(call.key, reserve=reserve, tokens=0, model=call.expectation, within=True)
        except TimeoutError:
            raise _held() from None

    def _remember(self, response: str) -> None:
        self._ended[response] = None
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)


def _kept(event_id: str | None) -> str | None:
    return None if event_id is None else event_id[:MOST_ID]


def _held() -> BudgetExceeded:
    return BudgetExceeded("What is left of a budget is held by calls in progress.")


def _draining() -> Unavailable:
    return Unavailable("The house is shutting down; open a new connection.", code="shutting_down")

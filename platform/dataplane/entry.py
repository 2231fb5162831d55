"""What one leg writes into the journal: its intent before it leaves, its settlement once. Shared by what is answered over
HTTP and by the responses of a connection that stays open.

Fields are given by place and not by name, which takes a third of the time on a path where every call comes by twice. A test
holds the places."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dataplane import money
from dataplane.call import Call, Leg, Usage
from dataplane.events import Intent, UsageEvent
from dataplane.ids import new_id

if TYPE_CHECKING:
    from dataplane.kit import Kit
    from dataplane.limits import Admission


class Entry:
    """One leg in the journal. `request_id` is what the caller was told; `first_byte` is from the performance clock, `saved` as
    in the usage event."""

    __slots__ = ("call", "first_byte", "id", "leg", "request_id", "saved", "settled", "started_at", "wall")

    def __init__(self, call: Call, leg: Leg, request_id: str) -> None:
        self.call = call
        self.leg = leg
        self.request_id = request_id
        self.id = new_id()
        self.wall = time.time()
        self.started_at = time.perf_counter()
        self.first_byte: float | None = None
        self.saved: str | None = None
        self.settled = False

    def intend(self, kit: Kit, admission: Admission) -> None:
        """Raises JournalFull: a call that can't be written down does not leave."""
        call, leg = self.call, self.leg
        if not call.journaled:
            return
        key = call.key
        principal = key.principal
        team = call.snapshot.teams.get(principal.team or 0)
        intent = Intent(
            self.id,
            self.request_id,
            self.wall,
            call.plane,
            principal.ref,
            principal.name,
            key.id,
            key.name,
            principal.team,
            team.name if team is not None else "",
            call.model,
            leg.provider,
            leg.deployment,
            call.server,
            call.tool,
            call.agent,
            leg.rates.ref if leg.rates is not None else "",
            admission.reserved,
            admission.accounts,
            call.estimate,
        )
        kit.journal.intent(intent)

    def settle(self, kit: Kit, outcome: str, *, usage: Usage, estimated: bool, status: int) -> int | None:
        """The one settlement. What it cost in 1e-18 USD, None when no price is known. Whoever calls this settles the
        admission in the same step: a slice must never be stated between the two, or a crash would give back what was
        spent."""
        self.settled = True
        call, leg = self.call, self.leg
        rates = leg.rates
        charge = 0 if not usage else rates.charge(usage) if rates is not None else None
        seconds = time.perf_counter() - self.started_at
        kit.metrics.call(call.plane, outcome, seconds)
        if not call.journaled:
            return charge
        key = call.key
        principal = key.principal
        team = call.snapshot.teams.get(principal.team or 0)
        event = UsageEvent(
            self.id,
            self.request_id,
            self.wall,
            call.plane,
            principal.ref,
            principal.name,
            key.id,
            key.name,
            outcome,
            status,
            principal.team,
            team.name if team is not None else "",
            call.model,
            leg.provider,
            leg.deployment,
            call.server,
            call.tool,
            call.agent,
            usage,
            None if charge is None else money.atto_to_text(charge),
            "USD",
            rates.ref if rates is not None else None,
            estimated,
            round(seconds * 1000, 3),
            None if self.first_byte is None else round((self.first_byte - self.started_at) * 1000, 3),
            self.saved,
        )
        kit.journal.settle(event)
        return charge

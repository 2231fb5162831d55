"""One response of a connection (or one transcription) on its way through the journal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dataplane.call import Call, Leg, Usage
from dataplane.entry import Entry
from dataplane.money import atto_to_nano
from llmgateway.proxy.realtime.context import CHARACTERS_PER_TOKEN, SPOKEN_PER_TOKEN
from llmgateway.proxy.realtime.server_events import Delta
from llmgateway.proxy.realtime.usage import tokens_of

if TYPE_CHECKING:
    from dataplane.kit import Kit
    from dataplane.limits import Admission


class TurnCall(Call):
    """Of a model of the house, paid by whoever the key belongs to by now: a connection may outlast a move between teams."""

    plane = "llm"
    __slots__ = ()

    def __init__(self, kit: Kit, opened: Call, *, model: str, kind: str, estimate: Usage) -> None:
        snapshot = kit.store.current
        super().__init__(snapshot.key(opened.key.digest) or opened.key, snapshot)
        self.model = model
        self.expectation = f"{model}/{kind}"
        self.estimate = estimate


class Turn:
    """Asked for, or under way. Characters are those of the deltas that have passed. `event_id` is that of the client's event
    that asked; `refused` says that it was begun by the upstream and has to end."""

    __slots__ = ("admission", "audio", "entry", "event_id", "refused", "text")

    def __init__(self, call: Call, leg: Leg, request_id: str, *, admission: Admission, event_id: str | None = None) -> None:
        self.entry = Entry(call, leg, request_id)
        self.admission = admission
        self.event_id = event_id
        self.refused = False
        self.audio = 0
        self.text = 0

    def passed(self, kind: str, delta: Delta) -> None:
        if self.entry.first_byte is None:
            self.entry.first_byte = time.perf_counter()
        if kind.endswith("audio.delta"):
            self.audio += len(delta.delta)
        else:
            self.text += len(delta.delta)

    def partial(self) -> Usage:
        """What it is assumed to have used, from what has passed."""
        spoken = self.audio // SPOKEN_PER_TOKEN
        usage = {**self.entry.call.estimate, "output": self.text // CHARACTERS_PER_TOKEN + spoken}
        return {**usage, "audio_output": spoken} if spoken else usage

    def settle(self, kit: Kit, outcome: str, *, usage: Usage | None, status: int) -> None:
        """Journal and leases in one step: see Entry. `usage` None: not told, so it is estimated."""
        estimated = usage is None
        if usage is None:
            usage = self.partial()
        charge = self.entry.settle(kit, outcome, usage=usage, estimated=estimated, status=status)
        self.admission.settle(None if charge is None else atto_to_nano(charge), tokens_of(usage))

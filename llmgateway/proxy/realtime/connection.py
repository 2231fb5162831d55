"""One connection between a client and a provider: two pumps, and what the house has to say in between.

Nothing is queued here: each pump takes its next message when the one before has been taken from it, so who does not read is
waited for, in both directions. How it ends is in `ending.py`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from dataplane.call import Leg
from dataplane.errors import HouseError, PayloadTooLarge, Unavailable
from dataplane.handshake import Handshake
from dataplane.principal import invalid_key
from dataplane.socket_upstream import MAX_MESSAGE
from llmgateway.proxy.realtime import events
from llmgateway.proxy.realtime.ending import FAREWELL, ClientLeft, Ending, ending_of, say_goodbye
from llmgateway.proxy.realtime.events import Message, client_event, error_event
from llmgateway.proxy.realtime.opening import Place, RealtimeCall
from llmgateway.proxy.realtime.responses import Responses
from llmgateway.proxy.realtime.secrets import expired
from llmgateway.proxy.realtime.server_events import (
    Configured,
    Created,
    Delta,
    Done,
    Failed,
    ServerEvent,
    Transcribed,
    server_event,
    usage_of_transcript,
)
from llmgateway.proxy.realtime.transcribing import transcriber

if TYPE_CHECKING:
    from dataplane.kit import Kit
    from dataplane.limits import Admission

AUDIO = "input_audio_buffer.append"


class Connection:
    """Takes part in `kit.active` from its acceptance to its end: a key or a grant that is withdrawn cuts it, and so does a client
    that does not read. When the house drains, it ends as soon as no response is under way."""

    __slots__ = (
        "_admission",
        "_handshake",
        "_kit",
        "_leg",
        "_model",
        "_place",
        "_sending",
        "_transcriber",
        "call",
        "cut",
        "responses",
        "sending_since",
        "task",
    )

    def __init__(self, kit: Kit, handshake: Handshake, call: RealtimeCall, *, place: Place, admission: Admission) -> None:
        deployment = place.deployment
        self.call = call
        self.cut: HouseError | None = None
        self.task: asyncio.Task[None] | None = None
        self.sending_since = 0.0
        self._kit = kit
        self._handshake = handshake
        self._place = place
        self._admission = admission
        self._sending = asyncio.Lock()
        self._transcriber = ""
        self._model = events.Ownership(call.model, deployment.model)
        self._leg = Leg(
            deployment.upstream,
            deployment.base,
            headers=[],
            body=b"",
            rates=deployment.rates,
            provider=deployment.provider,
            deployment=deployment.name,
        )
        self.responses = Responses(kit, call, self._leg, request_id=handshake.id, max_output=call.target.max_output)

    async def run(self) -> None:
        """From acceptance to the end, whatever that is. Raises nothing but the cancellation of its own task."""
        self.task = asyncio.current_task()
        self._kit.watch_over(self)
        ending: Ending | None = None
        try:
            await self._begin()
            ending = await self._relay()
        except asyncio.CancelledError:
            if self.cut is None or self.task is None:
                self._place.socket.abort()
                raise
            self.task.uncancel()
            ending = ending_of(self.cut)
        finally:
            # Before anything is waited for: whoever stops the house waits for the journal.
            self.responses.close("error" if ending is not None and ending.upstream_failed else "aborted")
            self._admission.settle(None, 0)
            self._kit.active.discard(self)
        await say_goodbye(self._handshake, self._place.socket, ending, silent=self.sending_since != 0.0)

    def look(self) -> None:
        if self.cut is not None:
            return
        if self._kit.draining and not self.responses.under_way and self._taken():
            self.cancel(Unavailable("The house is shutting down; open a new connection.", code="shutting_down"))
            return
        key = self._kit.store.current.key(self.call.key.digest)
        if key is not None and expired(key):
            self.cancel(invalid_key())

    def _taken(self) -> bool:
        """Whether the client has taken the last message, or had the time to."""
        return not self.sending_since or time.monotonic() - self.sending_since > FAREWELL

    def cancel(self, reason: HouseError) -> None:
        if self.cut is None and self.task is not None:
            self.cut = reason
            self.task.cancel()

    async def _begin(self) -> None:
        if self.call.session is not None:
            configuration = events.session_update(self.call.session)
            self.responses.context.add(len(configuration), audio=False)
            await self._place.socket.send(configuration)

    async def _relay(self) -> Ending:
        """Both directions until one of them ends."""
        pumps = [asyncio.create_task(self._from_client()), asyncio.create_task(self._from_upstream())]
        try:
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            ends = await asyncio.gather(*pumps, return_exceptions=True)
        first = next(end for pump, end in zip(pumps, ends, strict=True) if pump in done)
        return ending_of(first)

    async def _from_client(self) -> None:
        while True:
            message = await self._handshake.receive()
            if message["type"] == "websocket.disconnect":
                raise ClientLeft
            text = message.get("text")
            data: Message = text if text is not None else message["bytes"]
            if len(data) > MAX_MESSAGE:
                raise PayloadTooLarge(f"A message is larger than {MAX_MESSAGE} bytes.")
            out = await self._inbound(data)
            if out is not None:
                await self._place.socket.send(out)

    async def _inbound(self, message: Message) -> Message | None:
        """What goes upstream; None where the house has refused it, and said so."""
        event_id = None
        try:
            event = client_event(message)
            if event is None:
                return message
            event_id = event.event_id
            out = self._model.apply(event)
            if event.type == "response.create":
                self.responses.context.add(len(event.message), audio=False)
                asked = events.max_output_of(events.members_of(event.fields, "response"))
                await self.responses.ask(event_id, max_output=asked)
            else:
                self.responses.context.add(len(event.message), audio=event.type == AUDIO)
        except HouseError as error:
            await self._tell(error, event_id)
            return None
        return out

    async def _from_upstream(self) -> None:
        while True:
            message = await self._place.socket.receive()
            kind, event = server_event(message)
            refusal = await self._observe(kind, event) if event is not None else None
            await self._send(message)
            if isinstance(event, Transcribed) and refusal is not None:
                raise refusal  # there is no way to have no further speech written down but to end
            if refusal is not None:
                await self._tell(refusal, None)

    async def _observe(self, kind: str, event: ServerEvent) -> HouseError | None:
        """Reads what passes to the client. A refusal is told behind it."""
        responses = self.responses
        match event:
            case Delta():
                responses.passed(kind, event)
            case Created():
                refusal = await responses.began(event.response.id)
                if refusal is not None:
                    await self._place.socket.send(events.response_cancel(event.response.id))
                return refusal
            case Done():
                responses.ended(event.response)
            case Failed():
                responses.declined(event.error.event_id)
            case Configured():
                responses.session_output = event.max_output
                self._transcriber = event.transcribed_by
            case Transcribed():
                leg, model = transcriber(self.call, self._place.deployment, named=self._transcriber, leg=self._leg)
                return await responses.transcribed(usage_of_transcript(event), by=leg, model=model)
        return None

    async def _tell(self, error: HouseError, event_id: str | None) -> None:
        self._kit.metrics.refusal(self.call.plane, error.code)
        await self._send(error_event(error, self._handshake.id, event_id))

    async def _send(self, message: Message) -> None:
        """To the client. One at a time: the house speaks in between."""
        async with self._sending:
            self.sending_since = time.monotonic()
            part = "text" if isinstance(message, str) else "bytes"
            await self._handshake.send({"type": "websocket.send", part: message})
            self.sending_since = 0.0

"""Reads the usage of images, sound, rankings and judgements on their way to the caller. No byte of them is changed."""

from __future__ import annotations

import re

import msgspec

from dataplane.asgi import Message, Request, Send
from dataplane.call import Meter, Usage
from dataplane.errors import HouseError, UpstreamFailed
from dataplane.sse import Splitter, data_of, event, events
from llmgateway.proxy.dialects.endpoint import UNREADABLE, refuse_garbled
from llmgateway.proxy.dialects.errors import openai_object
from llmgateway.proxy.media import told
from llmgateway.proxy.media.told import Read

MAX_IMAGE_EVENT = 48 * 1024 * 1024
"""An image comes whole in one event."""

_PASSING = re.compile(rb'\{\s*"type"\s*:\s*"(?:[a-z_]+\.partial_image|speech\.audio\.delta)"')
"""Events that are megabytes of base64 and tell nothing: they are not parsed."""

_DONE = (".completed", ".done")
_COUNTS = ("images", "seconds", "requests")


class _Said(msgspec.Struct):
    type: str | None = None
    error: msgspec.Raw = msgspec.Raw()


_said = msgspec.json.Decoder(_Said)


class _WideSplitter(Splitter):
    """Of events as large as images."""

    __slots__ = ()

    def _keep(self, chunk: bytes, window: bytes) -> None:
        if self._size + len(chunk) > MAX_IMAGE_EVENT:
            raise UpstreamFailed("The upstream sent one event that is larger than the house relays.")
        size, self._size = self._size, 0
        super()._keep(chunk, window)
        self._size += size


class MediaMeter(Meter):
    """Of an answer that is read whole (JSON, or a text that tells nothing) or that is a stream of events. `draws` says that
    it brings images: each event that ends one is counted, and what several tell is added up. `counted` says that units are
    priced, so that an answer without tokens tells all the same what it costs."""

    beat = b": keep-alive\n\n"

    __slots__ = ("_counted", "_draws", "_is_json", "_known", "_partial", "_read", "_splitter", "_usage")

    def __init__(self, read: Read, *, is_json: bool, draws: bool = False, counted: bool = False) -> None:
        super().__init__()
        self._read = read
        self._is_json = is_json
        self._draws = draws
        self._counted = counted
        self._splitter = _WideSplitter()
        self._usage: Usage = {}
        self._partial: Usage = {}
        self._known = False

    def whole(self, body: bytes) -> bytes:
        if not self._is_json:
            self._partial = {"output": len(body) // 4}
            if seconds := told.last_mark(body):
                self._partial["seconds"] = seconds
            return body
        try:
            self._usage = self._read(body)
        except UNREADABLE as error:
            refuse_garbled(body, error)
        return body

    def feed(self, data: bytes) -> bytes:
        return self._events(self._splitter.feed(data))

    def finish(self) -> bytes:
        return self._events(self._splitter.rest)

    def _events(self, block: bytes) -> bytes:
        for one in events(block):
            data = data_of(one)
            if data is not None and data.startswith(b"{") and not _PASSING.match(data):
                self._look(data)
        return block

    def _look(self, data: bytes) -> None:
        try:
            said = _said.decode(data)
        except UNREADABLE:
            return
        if said.type == "error" or bytes(said.error) not in (b"", b"null"):
            self.failed = True
        if said.type is not None and said.type.endswith(_DONE):
            try:
                found = self._read(data)
            except UNREADABLE:
                return
            if self._draws:
                found["images"] = found.get("images", 1)
            else:
                self.complete = True
            self._usage = {meter: self._usage.get(meter, 0) + found.get(meter, 0) for meter in {**self._usage, **found}}
        elif said.type == "transcript.text.delta":
            self._partial["output"] = self._partial.get("output", 0) + 1

    def usage(self) -> Usage | None:
        if not self._usage:
            return None
        if self._counted or not all(meter in _COUNTS for meter in self._usage):
            return self._usage
        return None

    def partial(self) -> Usage:
        return {**self._partial, **self._usage}

    def broken(self, error: HouseError, request_id: str) -> bytes:
        """In the form of OpenAI's own streams of these endpoints; the event that was begun is not sent."""
        return b"" if self.complete else event(openai_object(error, request_id))


class SoundMeter(Meter):
    """Of sound as bytes, which pass as they come: nothing in them tells what it cost."""

    __slots__ = ("_sending",)

    def __init__(self, sending: Severable) -> None:
        super().__init__()
        self._sending = sending

    def usage(self) -> Usage | None:
        return None

    def broken(self, error: HouseError, request_id: str) -> bytes:
        """No byte of sound could say it: the answer is left without its end, so that nobody takes it for whole."""
        self._sending.severed = True
        return b""


class Severable:
    """A caller's connection on which an answer can be left without its end."""

    __slots__ = ("_send", "severed")

    def __init__(self, request: Request) -> None:
        """From now on the request is answered through this."""
        self._send: Send = request.send
        self.severed = False
        request.send = self.send

    async def send(self, message: Message) -> None:
        if self.severed and not message.get("more_body", False):
            return
        await self._send(message)

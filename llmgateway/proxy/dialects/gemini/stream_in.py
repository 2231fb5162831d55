"""Reads a stream of `streamGenerateContent?alt=sse`: each event is a GenerateContentResponse that adds to those before.

Texts of one kind that follow each other are one part. A text with a signature is a part of its own (an empty one behind
the text, mostly): a signature belongs to exactly the part it came on. Function calls come whole. Counts are cumulative.
There is no end marker: a stream is complete when each candidate that it began has a reason to end.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from dataplane.call import Usage
from dataplane.errors import BadRequest, UpstreamFailed
from dataplane.sse import Splitter, data_of, events
from llmgateway.proxy.conversation.answer import FILTER
from llmgateway.proxy.conversation.events import (
    Beat,
    Begin,
    Cited,
    Close,
    Delta,
    Done,
    Event,
    Failed,
    Logprobs,
    Open,
    Signed,
    Sound,
    Stop,
    Used,
)
from llmgateway.proxy.conversation.parts import AnyPart, Audio, Json, Reasoning, Text, ToolCall
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.gemini import citations, logprobs
from llmgateway.proxy.dialects.gemini.answer import blocked, call_id, finished, is_empty, read_usage, unix_time
from llmgateway.proxy.dialects.gemini.errors import failure_of
from llmgateway.proxy.dialects.gemini.names import BLOCKED
from llmgateway.proxy.dialects.gemini.parts_in import read_part
from llmgateway.proxy.dialects.gemini.reading import Members


class GeminiReader:
    __slots__ = ("_begun", "_branches", "_failed", "_splitter", "_stopped", "_usage", "response")

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._branches: dict[int, _Branch] = {}
        self._usage: Usage = {}
        self._begun = False
        self._failed = False
        self._stopped: Stop | None = None
        self.response = ""

    def feed(self, data: bytes) -> list[Event]:
        try:
            block = self._splitter.feed(data)
        except UpstreamFailed as error:
            raise Unreadable(error.message) from None
        return self._block(block) if block else []

    def _block(self, block: bytes) -> list[Event]:
        found: list[Event] = []
        for one in events(block):
            data = data_of(one)
            if self._failed:
                break
            if data is None:
                found += [Beat()] if one.strip() else []
            elif data.strip():
                found += self._response(data)
        return found

    def finish(self) -> list[Event]:
        found = self._block(self._splitter.rest)
        if self._failed:
            return found
        for branch in self._branches.values():
            found += branch.close()
        stops = [branch.stop() for branch in self._branches.values()] if self._branches else [self._stopped]
        found += [stop for stop in stops if stop is not None]
        return [*found, Done()] if all(stop is not None for stop in stops) else found

    def _response(self, data: bytes) -> list[Event]:
        try:
            top = Members(msgspec.json.decode(data), "")
            if top.has("error"):
                self._failed = True
                return [Failed(failure_of(top.take("error")))]
            return self._read(top)
        except BadRequest as error:
            raise Unreadable(error.message) from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable(f"an event is not JSON: {error}") from None

    def _read(self, top: Members) -> list[Event]:
        found: list[Event] = []
        if not self._begun:
            self._begun = True
            self.response = top.text("responseId") or ""
            model = (top.text("modelVersion") or "").removeprefix("models/")
            found.append(Begin(self.response, model, unix_time(top.take("createTime"))))
        for place, candidate in enumerate(top.many("candidates")):
            number = candidate.integer("index")
            number = place if number is None else number
            if not 0 <= number < 1000:
                raise Unreadable("a candidate has an index that is none")
            branch = self._branches.get(number)
            if branch is None:
                branch = self._branches[number] = _Branch(number, self)
            found += branch.read(candidate)
        reason = blocked(top.left)
        if reason is not None and not self._branches:
            self._stopped = Stop(0, FILTER, native_stop=BLOCKED + reason)
        usage = read_usage(top.take("usageMetadata"))
        if usage and usage != self._usage:
            self._usage = usage
            found.append(Used(usage))
        return found


class _Branch:
    """One candidate. `_open` is the part that may grow, unless it is `_sealed` and only its citations may still come;
    `_pieces` are its text so far, `_spare` are bytes of a sound that fill no group of three yet."""

    __slots__ = ("_calls", "_next", "_number", "_open", "_pieces", "_reader", "_reason", "_sealed", "_spare")

    def __init__(self, number: int, reader: GeminiReader) -> None:
        self._number = number
        self._reader = reader
        self._next = self._calls = 0
        self._open: AnyPart | None = None
        self._pieces: list[str] = []
        self._spare = b""
        self._reason = ""
        self._sealed = False

    def read(self, candidate: Members) -> list[Event]:
        found: list[Event] = []
        content = candidate.inner("content")
        for one in content.many("parts") if content is not None else []:
            made = call_id(self._reader.response, self._number, self._calls)
            found += self._part(read_part(one, made=made, rest={}).part)
        if candidate.has("groundingMetadata") or candidate.has("citationMetadata"):
            found += self._cite(candidate.left)
        if candidate.has("logprobsResult"):
            found.append(Logprobs(self._number, logprobs.read(candidate.take("logprobsResult"))))
        self._reason = candidate.text("finishReason") or self._reason
        return found

    def stop(self) -> Stop | None:
        """None while nobody said why it ended."""
        if not self._reason:
            return None
        stop, native = finished(self._reason, calls=self._calls > 0)
        return Stop(self._number, stop, native_stop=native)

    def close(self) -> list[Event]:
        if self._open is None:
            return []
        found: list[Event] = [Sound(self._number, self._next - 1, base64.b64encode(self._spare).decode())] if self._spare else []
        self._open, self._pieces, self._spare, self._sealed = None, [], b"", False
        return [*found, Close(self._number, self._next - 1)]

    def _part(self, part: AnyPart) -> list[Event]:
        if is_empty(part):
            return []
        match part:
            case Text() | Reasoning() if part.signature is None:
                return self._grow(part)
            case Audio() if part.data and part.signature is None:
                return self._sound(part)
            case _:
                return self._whole(part)

    def _opened(self, part: AnyPart) -> list[Event]:
        found = self.close()
        self._open = part
        self._next += 1
        return [*found, Open(self._number, self._next - 1, part)]

    def _grow(self, part: Text | Reasoning) -> list[Event]:
        goes_on = type(self._open) is type(part) and not self._sealed
        found = [] if goes_on else self._opened(Text(text="") if isinstance(part, Text) else Reasoning())
        self._pieces.append(part.text)
        return [*found, Delta(self._number, self._next - 1, part.text)]

    def _sound(self, part: Audio) -> list[Event]:
        """Chunks of one sound are one sound: their bytes are joined at places where base64 can be cut."""
        heard = self._open
        goes_on = isinstance(heard, Audio) and heard.media_type == part.media_type
        found = [] if goes_on else self._opened(Audio(media_type=part.media_type))
        try:
            data = self._spare + base64.b64decode(part.data)
        except (binascii.Error, ValueError):
            raise Unreadable("sound that is not base64") from None
        whole = len(data) - len(data) % 3
        self._spare = data[whole:]
        if whole:
            found.append(Sound(self._number, self._next - 1, base64.b64encode(data[:whole]).decode()))
        return found

    def _whole(self, part: AnyPart) -> list[Event]:
        """Its signature is told first: a caller's dialect may have to put it before the part."""
        signature, text, arguments = part.signature, "", ""
        part.signature = None
        part.at = ""
        if isinstance(part, Text | Reasoning):
            text, part.text = part.text, ""
        elif isinstance(part, ToolCall):
            arguments, part.arguments = part.arguments, ""
            self._calls += 1
        found = self._opened(part)
        if signature is not None:
            found.append(Signed(self._number, self._next - 1, signature))
        if text or arguments:
            found.append(Delta(self._number, self._next - 1, text or arguments))
            self._pieces.append(text)
        if isinstance(part, Text):
            self._sealed = True
            return found
        return [*found, *self.close()]

    def _cite(self, told: dict[str, Json]) -> list[Event]:
        """Citations of the text that is open, else of an empty one behind everything."""
        here = Text(text="".join(self._pieces))
        placed = citations.read(told, [here])
        if not placed:
            return []
        found = [] if isinstance(self._open, Text) else self._opened(Text(text=""))
        return [*found, *(Cited(self._number, self._next - 1, citation) for _, citation in placed)]


def reader() -> GeminiReader:
    return GeminiReader()

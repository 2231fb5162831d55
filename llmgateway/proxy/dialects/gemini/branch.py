"""One candidate of a stream: the parts that its chunks make, opened, grown and closed in their order.

Texts of one kind that follow each other are one part. A text with a signature is a part of its own (an empty one behind
the text, mostly): a signature belongs to exactly the part it came on. Function calls come whole.
"""

from __future__ import annotations

import base64
import binascii

from llmgateway.proxy.conversation.events import Cited, Close, Delta, Event, Logprobs, Open, Signed, Sound, Stop
from llmgateway.proxy.conversation.parts import AnyPart, Audio, Json, Reasoning, Text, ToolCall
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.gemini import citations, logprobs, partial_calls, plain
from llmgateway.proxy.dialects.gemini.answer import call_id, finished, is_empty
from llmgateway.proxy.dialects.gemini.parts_in import read_part
from llmgateway.proxy.dialects.gemini.reading import Members


class Branch:
    """One candidate. `_open` is the part that may grow, unless it is `_sealed` and only its citations may still come;
    `_pieces` are its text so far, `_spare` are bytes of a sound that fill no group of three yet."""

    __slots__ = ("_calls", "_next", "_number", "_open", "_partial", "_pieces", "_reason", "_response", "_sealed", "_spare")

    def __init__(self, number: int, response: str) -> None:
        self._number = number
        self._response = response
        self._next = self._calls = 0
        self._open: AnyPart | None = None
        self._pieces: list[str] = []
        self._spare = b""
        self._partial: partial_calls.PartialCall | None = None
        self._reason = ""
        self._sealed = False

    def read(self, candidate: Members) -> list[Event]:
        found: list[Event] = []
        content = candidate.inner("content")
        for one in content.many("parts") if content is not None else []:
            found += self._read(one)
        if candidate.has("groundingMetadata") or candidate.has("citationMetadata"):
            found += self._cite(candidate.left)
        if candidate.has("logprobsResult"):
            found.append(Logprobs(self._number, logprobs.read(candidate.take("logprobsResult"))))
        self._reason = candidate.text("finishReason") or self._reason
        return found

    def _read(self, part: Members) -> list[Event]:
        """What a call that comes in pieces is lacking is waited for."""
        if self._partial is not None or partial_calls.begins(part):
            self._partial = self._partial or partial_calls.PartialCall()
            return self.whole_call(part.path) if self._partial.add(part) else []
        made = call_id(self._response, self._number, self._calls)
        return self._part(read_part(part, made=made, rest={}).part)

    def whole_call(self, path: str = "") -> list[Event]:
        """The call that has come in pieces, as far as it has."""
        call, self._partial = self._partial, None
        return [] if call is None else self._read(partial_calls.whole(call, path))

    def read_plain(self, candidate: plain.PlainCandidate) -> list[Event]:
        found: list[Event] = []
        for one in candidate.content.parts:
            if one.text:
                found += self._grow(Reasoning if one.thought else Text, one.text)
        self._reason = candidate.finish_reason or self._reason
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
                return self._grow(type(part), part.text)
            case Audio() if part.data and part.signature is None:
                return self._sound(part)
            case _:
                return self._whole(part)

    def _opened(self, part: AnyPart) -> list[Event]:
        found = self.close()
        self._open = part
        self._next += 1
        return [*found, Open(self._number, self._next - 1, part)]

    def _grow(self, kind: type[Text | Reasoning], text: str) -> list[Event]:
        goes_on = type(self._open) is kind and not self._sealed
        found = [] if goes_on else self._opened(kind(text=""))
        self._pieces.append(text)
        return [*found, Delta(self._number, self._next - 1, text)]

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

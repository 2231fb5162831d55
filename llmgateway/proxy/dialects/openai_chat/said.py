"""What one candidate of a stream has said so far, and the events that its next delta makes."""

from __future__ import annotations

from llmgateway.proxy.conversation.events import Cited, Close, Delta, Event, Logprobs, Open, Signed, Sound
from llmgateway.proxy.conversation.parts import AnyPart, Audio, Json, Reasoning, Refused, Text, ToolCall
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.members import Members
from llmgateway.proxy.dialects.openai_chat import details
from llmgateway.proxy.dialects.openai_chat.answer_in import logprobs
from llmgateway.proxy.dialects.openai_chat.assistant_in import REASONING_FIELDS, arguments, citation, google_signature
from llmgateway.proxy.dialects.openai_chat.content_in import Rest, content, piece
from llmgateway.proxy.dialects.openai_chat.stops import read_stop

Entry = tuple[int, str]

_COMMON = frozenset({"role", "content"})
"""All that nearly every delta has."""


class _Call:
    """A call is opened when its name is known."""

    __slots__ = ("arguments", "custom", "id", "index", "name", "signed")

    def __init__(self, id_: str, custom: bool) -> None:
        self.id = id_
        self.custom = custom
        self.name = self.arguments = ""
        self.index = -1
        self.signed = False


class Said:
    """`word` and `native` are why it stopped, in the vendor's words. At most one part is open, beside the calls."""

    __slots__ = ("_calls", "_entry", "_kind", "_next", "_number", "_opaque", "_place", "_refused", "_stem", "_text", "native", "word")

    def __init__(self, number: int, stem: str) -> None:
        self._number = number
        self._stem = stem
        self._calls: list[tuple[int | None, _Call]] = []
        self._kind: type[AnyPart] | None = None
        self._next = self._place = 0
        self._entry: Entry | None = None
        self._opaque: dict[str, Json] = {}
        self._text = ""
        self._refused = False
        self.word = self.native = ""

    def delta(self, delta: Members, told: list[Event]) -> None:
        if _COMMON.issuperset(delta.names):
            self._speak(delta, told)
            return
        self._reason(delta, told)
        self._speak(delta, told)
        if "audio" in delta:
            self._sound(delta.needed("audio"), told)
        for place, item in enumerate(delta.array("images")):
            self._whole(piece(item, f"{delta.path('images')}[{place}]", delta.wrong, Rest({}, {})), told)
        for entry in delta.each("annotations"):
            self._enter(Text(text=""), told)
            told.append(Cited(self._number, self._place, citation(entry)))
        for fragment in delta.each("tool_calls"):
            self._call(fragment, told)
        if "function_call" in delta:
            self._grow(self._found(None, ""), delta.needed("function_call"), "arguments", told)
        self._sign(delta, told)

    def _reason(self, delta: Members, told: list[Event]) -> None:
        entries = delta.each("reasoning_details")
        first, second = (delta.text(name) for name in REASONING_FIELDS)
        if (first or second) and not any("text" in entry or "summary" in entry for entry in entries):
            self._think(first or second, told)
        for entry in entries:
            self._detail(entry, told)

    def _think(self, text: str, told: list[Event]) -> None:
        if self._entry is not None:
            self._leave(told)
        self._enter(Reasoning(), told)
        self._text += text
        told.append(Delta(self._number, self._place, text))

    def _detail(self, entry: Members, told: list[Event]) -> None:
        kind = entry.needed_text("type")
        key = (entry.integer("index") or 0, kind)
        text, summary, id_ = entry.text("text"), entry.text("summary"), entry.text("id")
        if key != self._entry and not (self._entry is None and text and self._kind is Reasoning and text == self._text):
            self._leave(told)
            self._enter(Reasoning(id=id_, redacted=kind == details.ENCRYPTED), told)
        elif self._entry is None:
            text = ""
        self._entry = key
        self._opaque |= details.opaque(entry, kind)
        if text:
            told.append(Delta(self._number, self._place, text))
        if summary:
            told.append(Delta(self._number, self._place, summary, 0))

    def _speak(self, delta: Members, told: list[Event]) -> None:
        for part in content(delta, "content", Rest({}, {})):
            if isinstance(part, Text):
                self._say(Text(text=""), part.text, told)
            elif isinstance(part, Reasoning):
                self._think(part.text, told)
            else:
                self._whole(part, told)
        refusal = delta.text("refusal")
        if refusal:
            self._refused = True
            self._say(Refused(), refusal, told)

    def _say(self, part: AnyPart, text: str, told: list[Event]) -> None:
        self._enter(part, told)
        told.append(Delta(self._number, self._place, text))

    def _sound(self, heard: Members, told: list[Event]) -> None:
        self._enter(Audio(audio_id=heard.text("id")), told)
        data, transcript = heard.text("data"), heard.text("transcript")
        if data:
            told.append(Sound(self._number, self._place, data))
        if transcript:
            told.append(Delta(self._number, self._place, transcript))

    def _whole(self, part: AnyPart, told: list[Event]) -> None:
        self._leave(told)
        told += [Open(self._number, self._next, part), Close(self._number, self._next)]
        self._next += 1

    def _enter(self, part: AnyPart, told: list[Event]) -> None:
        """Goes on in the open part when it is of this kind, else opens this one."""
        if self._kind is type(part):
            return
        self._leave(told)
        self._kind, self._place, self._text = type(part), self._next, ""
        self._next += 1
        told.append(Open(self._number, self._place, part))

    def _leave(self, told: list[Event]) -> None:
        if self._kind is None:
            return
        signature = details.own(self._opaque)
        if signature is not None:
            told.append(Signed(self._number, self._place, signature))
        told.append(Close(self._number, self._place))
        self._kind, self._entry, self._opaque = None, None, {}

    def _call(self, fragment: Members, told: list[Event]) -> None:
        kind, id_ = fragment.text("type"), fragment.text("id")
        custom = kind == "custom" or "custom" in fragment
        call = self._found(fragment.integer("index"), id_, custom=custom)
        inner = fragment.inner("custom" if custom else "function")
        if inner is not None:
            self._grow(call, inner, "input" if custom else "arguments", told)
        signature = google_signature(fragment, Rest({}, {}))
        if signature is not None and call.index >= 0:
            call.signed = True
            told.append(Signed(self._number, call.index, signature))

    def _found(self, index: int | None, id_: str, *, custom: bool = False) -> _Call:
        """Google gives parallel calls the same index: another id is another call."""
        for known, call in reversed(self._calls):
            if (index is None or known == index) and id_ in ("", call.id):
                return call
            if known == index and index is not None and call.index < 0:
                call.id = id_
                return call
        call = _Call(id_ or f"{self._stem}_{len(self._calls)}", custom)
        self._calls.append((index, call))
        return call

    def _grow(self, call: _Call, inner: Members, field: str, told: list[Event]) -> None:
        name, text = inner.text("name"), inner.text(field) if field == "input" else arguments(inner)
        if call.index < 0:
            call.name += name
            call.arguments += text
            if not call.name:
                return
            self._leave(told)
            call.index, text = self._next, call.arguments
            self._next += 1
            told.append(Open(self._number, call.index, ToolCall(id=call.id, name=call.name, custom=call.custom)))
        if text:
            told.append(Delta(self._number, call.index, text))

    def _sign(self, delta: Members, told: list[Event]) -> None:
        signature = google_signature(delta, Rest({}, {}))
        if signature is None:
            return
        unsigned = [call for _, call in self._calls if call.index >= 0 and not call.signed]
        if self._kind is not Text and unsigned:
            unsigned[0].signed = True
            told.append(Signed(self._number, unsigned[0].index, signature))
            return
        self._enter(Text(text=""), told)
        told.append(Signed(self._number, self._place, signature))

    def log(self, choice: Members, told: list[Event]) -> None:
        held = logprobs(choice)
        if held is not None:
            told.append(Logprobs(self._number, held))

    def close(self, told: list[Event]) -> None:
        """Raises Unreadable for a call that was never named."""
        self._leave(told)
        for _, call in self._calls:
            if call.index < 0:
                raise Unreadable("a tool call without a name")
            told.append(Close(self._number, call.index))

    def stop(self) -> tuple[str, str]:
        return read_stop(self.word, self.native, refused=self._refused, called=bool(self._calls))

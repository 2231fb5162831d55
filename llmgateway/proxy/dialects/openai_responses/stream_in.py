"""A provider's stream of this dialect, read.

What a delta told is told at once; what an item's end, or the terminal event, says beyond it is told then. So vendors that
leave out deltas, or whole kinds of events, are read as well as the dialect's own.
"""

from __future__ import annotations

import msgspec

from dataplane.sse import Splitter, data_of, events
from llmgateway.proxy.conversation.events import (
    Beat,
    Begin,
    Done,
    Event,
    Failed,
    Logprobs,
    Stop,
    Used,
)
from llmgateway.proxy.conversation.parts import AnyPart, Json, Refused, Text
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.endpoint import UNREADABLE
from llmgateway.proxy.dialects.openai_responses.answer import calls, logprobs_of, stop_of
from llmgateway.proxy.dialects.openai_responses.citations import citation
from llmgateway.proxy.dialects.openai_responses.errors import failure_of
from llmgateway.proxy.dialects.openai_responses.items_in import said_parts
from llmgateway.proxy.dialects.openai_responses.members import Found, Members, WrongType
from llmgateway.proxy.dialects.openai_responses.told import Told
from llmgateway.proxy.dialects.openai_responses.usage import read_usage

GROWN = frozenset({"message", "function_call", "custom_tool_call", "reasoning"})
"""Types of items that come in pieces; any other is told when it is done."""


class ResponsesReader:
    def __init__(self) -> None:
        self._splitter = Splitter()
        self._told: dict[tuple[int, int], Told] = {}
        self._begun = False
        self._over = False
        self._logged = False
        self._awaited: dict[int, Json] = {}

    def feed(self, data: bytes) -> list[Event]:
        block = self._splitter.feed(data)
        return self._read(block) if block else []

    def finish(self) -> list[Event]:
        """The last event may lack the blank line behind it. One that breaks off says nothing: the stream was cut short."""
        try:
            return self._read(self._splitter.rest)
        except Unreadable:
            return []

    def _read(self, block: bytes) -> list[Event]:
        told: list[Event] = []
        for event in events(block):
            data = data_of(event)
            if data is None:
                told += [Beat()] if event.strip() and not self._over else []
            elif data.strip() != b"[DONE]" and not self._over:
                told += self._event(data)
        return told

    def _event(self, data: bytes) -> list[Event]:
        try:
            value = msgspec.json.decode(data)
            members = Members(value, "")
            kind = members.text("type")
            reader = _READERS.get(kind)
            if reader is not None:
                return reader(self, members)
            return self._error(members) if not kind and value.get("error") is not None else []
        except UNREADABLE as error:
            raise Unreadable(f"An event is no JSON: {error}") from None
        except WrongType as error:
            raise Unreadable(str(error)) from None

    # The response as a whole

    def _begin(self, members: Members) -> list[Event]:
        response = members.inner("response")
        if self._begun or response is None:
            return []
        self._begun = True
        created = response.number("created_at") or 0
        return [Begin(response.text("id"), response.text("model"), int(created))]

    def _end(self, members: Members) -> list[Event]:
        value = members.take("response")
        response = Members(value, "response")
        told: list[Event] = self._begin(Members({"response": value}, ""))
        output = response.array("output")
        if not self._told:
            for place, item in enumerate(output):
                told += self._item(item, place)
        for place in [place for place, item in self._awaited.items() if item is None]:
            self._awaited[place] = output[place] if place < len(output) else None
        told += self._specials(all_of=True) + self._close_all()
        logged = [entry for item in output for entry in logprobs_of(item)]
        if logged and not self._logged:
            told.append(Logprobs(0, {"content": logged}))
        stop, native = stop_of(
            response.text("status"), response.take("incomplete_details"), called=calls([told.part for told in self._told.values()])
        )
        usage = read_usage(response.take("usage"))
        told += [Used(usage)] if usage else []
        self._over = True
        return [*told, Stop(0, stop, native_stop=native), Done()]

    def _fail(self, members: Members) -> list[Event]:
        response = members.inner("response")
        self._over = True
        if response is None:
            return [Failed(failure_of({}))]
        usage = read_usage(response.take("usage"))
        told: list[Event] = [Used(usage)] if usage else []
        return [*told, Failed(failure_of(response.take("error")))]

    def _error(self, members: Members) -> list[Event]:
        """Flat, or with an `error` object in it."""
        self._over = True
        inner = members.take("error")
        flat = {name: members.take(name) for name in ("message", "code", "param")}
        return [Failed(failure_of(inner if inner is not None else flat))]

    def _close_all(self) -> list[Event]:
        return [event for told in self._told.values() for event in told.close()]

    # Items and their content

    def _added(self, members: Members) -> list[Event]:
        place, item = members.whole("output_index") or 0, members.take("item")
        kind = item.get("type") if isinstance(item, dict) else None
        if not isinstance(kind, str) or kind == "message" or (place, 0) in self._told:
            return []
        if kind not in GROWN:
            self._awaited[place] = None
            return []
        (part,) = said_parts(item, "item", Found())
        return self._open((place, 0), part)

    def _open(self, key: tuple[int, int], part: AnyPart) -> list[Event]:
        told = self._told[key] = Told(part, len(self._told))
        return [told.opening()]

    def _content_added(self, members: Members) -> list[Event]:
        key, part = _key(members), members.take("part")
        kind = part.get("type") if isinstance(part, dict) else None
        if key in self._told or kind not in ("output_text", "refusal"):
            return []
        return self._open(key, Refused() if kind == "refusal" else Text(text=""))

    def _text_delta(self, members: Members) -> list[Event]:
        return self._delta(members, Text(text=""))

    def _refusal_delta(self, members: Members) -> list[Event]:
        return self._delta(members, Refused())

    def _delta(self, members: Members, otherwise: AnyPart) -> list[Event]:
        key = _key(members)
        told = [] if key in self._told else self._open(key, otherwise)
        return told + self._log(members) + self._told[key].grow(members.text("delta"))

    def _log(self, members: Members) -> list[Event]:
        entries = members.array("logprobs")
        self._logged = self._logged or bool(entries)
        return [Logprobs(0, {"content": entries})] if entries else []

    def _input_delta(self, members: Members) -> list[Event]:
        """Of arguments, of a custom tool's input, of reasoning: pieces of an item that was added."""
        told = self._told.get((members.whole("output_index") or 0, 0))
        return told.grow(members.text("delta")) if told is not None else []

    def _summary_added(self, members: Members) -> list[Event]:
        return self._summarize(members, "")

    def _summary_delta(self, members: Members) -> list[Event]:
        return self._summarize(members, members.text("delta"))

    def _summarize(self, members: Members, text: str) -> list[Event]:
        told = self._told.get((members.whole("output_index") or 0, 0))
        return told.summarize(members.whole("summary_index") or 0, text) if told is not None else []

    def _annotated(self, members: Members) -> list[Event]:
        told = self._told.get(_key(members))
        value = members.take("annotation")
        if told is None or value is None or not isinstance(told.part, Text):
            return []
        return told.cite(citation(value, "annotation"))

    def _done(self, members: Members) -> list[Event]:
        place, item = members.whole("output_index") or 0, members.take("item")
        kind = item.get("type") if isinstance(item, dict) else None
        if not isinstance(kind, str):
            return []
        if kind in GROWN:
            return self._item(item, place)
        self._awaited[place] = item
        return self._specials()

    def _specials(self, *, all_of: bool = False) -> list[Event]:
        """The vendor's own items run side by side and end in any order; they are told in the order of their places."""
        events: list[Event] = []
        for place in sorted(self._awaited):
            item = self._awaited[place]
            if item is None and not all_of:
                break
            del self._awaited[place]
            events += self._item(item, place) if item is not None else []
        return events

    def _item(self, item: Json, place: int) -> list[Event]:
        """The whole item: what has not been told of it, and its end."""
        events: list[Event] = []
        for number, part in enumerate(said_parts(item, "item", Found())):
            key = (place, number)
            if key not in self._told:
                events += self._open(key, part)
            events += self._told[key].close(part)
        return events


def _key(members: Members) -> tuple[int, int]:
    return members.whole("output_index") or 0, members.whole("content_index") or 0


_READERS = {
    "response.created": ResponsesReader._begin,
    "response.queued": ResponsesReader._begin,
    "response.in_progress": ResponsesReader._begin,
    "response.output_item.added": ResponsesReader._added,
    "response.content_part.added": ResponsesReader._content_added,
    "response.output_text.delta": ResponsesReader._text_delta,
    "response.output_text.annotation.added": ResponsesReader._annotated,
    "response.refusal.delta": ResponsesReader._refusal_delta,
    "response.function_call_arguments.delta": ResponsesReader._input_delta,
    "response.custom_tool_call_input.delta": ResponsesReader._input_delta,
    "response.reasoning_text.delta": ResponsesReader._input_delta,
    "response.reasoning_summary_part.added": ResponsesReader._summary_added,
    "response.reasoning_summary_text.delta": ResponsesReader._summary_delta,
    "response.output_item.done": ResponsesReader._done,
    "response.completed": ResponsesReader._end,
    "response.incomplete": ResponsesReader._end,
    "response.failed": ResponsesReader._fail,
    "error": ResponsesReader._error,
}
"""Events that say something new; others (…done, progress of the vendor's own tools) are passed over."""

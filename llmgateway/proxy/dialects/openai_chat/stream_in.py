"""Reads the chunks of a chat completion.

A part ends when one of another kind begins; tool calls stay open, because their fragments may come mixed. Stops are told at
the end, for some vendors say them twice or send what belongs to the answer behind them. The end is [DONE], or, at vendors
that leave it out, the end of the stream when every candidate has its stop.
"""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from dataplane.errors import UpstreamFailed
from dataplane.sse import Splitter, data_of, events
from llmgateway.proxy.conversation.events import Beat, Begin, Done, Event, Failed, Stop, Used
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.members import Members, unreadable
from llmgateway.proxy.dialects.openai_chat.answer_in import created, stem
from llmgateway.proxy.dialects.openai_chat.errors import failure_of
from llmgateway.proxy.dialects.openai_chat.said import Said
from llmgateway.proxy.dialects.openai_chat.stops import FAILED
from llmgateway.proxy.dialects.openai_chat.usage import read_usage

END_MARK = b"[DONE]"


class ChatReader:
    __slots__ = ("_begun", "_ended", "_id", "_said", "_splitter", "_used")

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._said: dict[int, Said] = {}
        self._used: Usage = {}
        self._id = ""
        self._begun = self._ended = False

    def feed(self, data: bytes) -> list[Event]:
        try:
            return self._read(self._splitter.feed(data))
        except UpstreamFailed as error:
            raise Unreadable(error.message) from None

    def finish(self) -> list[Event]:
        """Some vendors leave out the blank line behind the last event."""
        told = self._read(self._splitter.rest)
        if not self._ended and self._said and all(said.word for said in self._said.values()):
            told += self._end()
        return told

    def _read(self, block: bytes) -> list[Event]:
        told: list[Event] = []
        for event in events(block):
            if self._ended:
                break
            data = data_of(event)
            if data is None or not data.strip():
                told += [Beat()] if event.strip() else []
            elif data.strip() == END_MARK:
                told += self._end()
            else:
                self._chunk(_decode(data), told)
        return told

    def _chunk(self, value: Json, told: list[Event]) -> None:
        chunk = Members(value, "", unreadable)
        if "error" in chunk or value.get("object") == "error" or ("choices" not in chunk and "message" in chunk):
            self._use(chunk, told)
            self._fail(value, told)
            return
        choices = chunk.each("choices")
        self._begin(chunk, choices, told)
        for choice in choices:
            self._choice(choice, told)
            if self._ended:
                return
        self._use(chunk, told)

    def _use(self, chunk: Members, told: list[Event]) -> None:
        """Of several counts the last is the whole."""
        usage = read_usage(chunk.take("usage"))
        if usage and usage != self._used:
            self._used = usage
            told.append(Used(usage))

    def _begin(self, chunk: Members, choices: list[Members], told: list[Event]) -> None:
        """Azure's first chunk has neither id nor choices: it only judges the prompt."""
        answer_id = chunk.text("id")
        if not self._begun and (answer_id or choices):
            self._begun, self._id = True, answer_id
            told.append(Begin(answer_id, chunk.text("model"), created(chunk)))

    def _choice(self, choice: Members, told: list[Event]) -> None:
        number = choice.integer("index") or 0
        said = self._said.get(number)
        if said is None:
            said = self._said[number] = Said(number, stem(self._id, number))
        word = choice.text("finish_reason")
        if word == FAILED or "error" in choice:
            self._fail({"error": choice.take("error") or {"message": "The upstream broke its answer off."}}, told)
            return
        delta = choice.inner("delta") or choice.inner("message")
        if delta is not None:
            said.delta(delta, told)
        said.log(choice, told)
        said.word = word or said.word
        said.native = choice.text("native_finish_reason") or said.native

    def _fail(self, value: Json, told: list[Event]) -> None:
        self._ended = True
        told.append(Failed(failure_of(value, 0)))

    def _end(self) -> list[Event]:
        """[DONE] behind an answer that never said anything is no answer."""
        if not self._said:
            raise Unreadable("a stream without an answer")
        self._ended = True
        told: list[Event] = []
        for _, said in sorted(self._said.items()):
            said.close(told)
        for number, said in sorted(self._said.items()):
            stop, native = said.stop()
            told.append(Stop(number, stop, None, native))
        return [*told, Done()]


def _decode(data: bytes) -> Json:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"an event that is no JSON: {error}") from None

"""Writes a chat completion's chunks."""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from dataplane.sse import event as as_event
from llmgateway.proxy.conversation.answer import TOOL
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
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.dialect import Asked
from llmgateway.proxy.dialects.openai_chat.answer_out import audio_id, envelope, legacy
from llmgateway.proxy.dialects.openai_chat.errors import error_object
from llmgateway.proxy.dialects.openai_chat.stops import write_stop
from llmgateway.proxy.dialects.openai_chat.telling import Made, Telling
from llmgateway.proxy.dialects.openai_chat.usage import write_usage

_encode = msgspec.json.Encoder().encode

END = as_event(b"[DONE]")
SIGN_OF_LIFE = b": the model is at work\n\n"


class ChatWriter:
    """The first delta of a candidate carries the role. Usage comes in a chunk of its own, to who asked for it."""

    content_type = "text/event-stream; charset=utf-8"
    __slots__ = ("_asked", "_base", "_closed", "_legacy", "_tellings", "_usage")

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._base = envelope("", 0, asked, "chat.completion.chunk")
        self._legacy = legacy(asked)
        self._tellings: dict[int, Telling] = {}
        self._usage: Usage = {}
        self._closed = False

    def write(self, event: Event) -> bytes:
        if self._closed:
            return b""
        match event:
            case Open() | Delta() | Sound() | Signed() | Cited() | Close():
                begun, new = self._begin(event.candidate)
                return begun + self._deltas(event.candidate, self._tellings[event.candidate].add(event), new)
            case Begin():
                self._base = envelope(event.id, event.created, self._asked, "chat.completion.chunk")
            case Logprobs():
                begun, new = self._begin(event.candidate)
                return begun + self._choice(event.candidate, _with_role({}, new), logprobs=event.value)
            case Used():
                self._usage = event.usage
            case Stop():
                return self._stop(event)
            case Done() | Failed():
                return self._end(event)
            case Beat():
                return SIGN_OF_LIFE
        return b""

    def _begin(self, number: int) -> tuple[bytes, bool]:
        """Candidates begin in their order, for official SDKs hold them in a list: those before this one begin now. Whether
        this one is new is told too."""
        begun, new = b"", number not in self._tellings
        for before in range(number + 1) if new else ():
            if before not in self._tellings:
                self._tellings[before] = Telling(self._legacy, audio_id(self._asked))
                begun += self._choice(before, _with_role({}, True)) if before < number else b""
        return begun, new

    def _deltas(self, number: int, deltas: list[Made], new: bool) -> bytes:
        """A part that says nothing at its beginning still begins the message."""
        if new:
            deltas = [_with_role(deltas[0], True), *deltas[1:]] if deltas else [_with_role({}, True)]
        return b"".join([self._choice(number, delta) for delta in deltas])

    def _choice(self, number: int, delta: Made, *, logprobs: Json = None, more: Made | None = None) -> bytes:
        choice = {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": None, **(more or {})}
        return as_event(_encode({**self._base, "choices": [choice]}))

    def _stop(self, event: Stop) -> bytes:
        begun, new = self._begin(event.candidate)
        telling = self._tellings[event.candidate]
        told = begun + self._deltas(event.candidate, telling.finish(), new)
        called = event.stop == TOOL and self._legacy and telling.called
        more: Made = {"finish_reason": "function_call" if called else write_stop(event.stop, refused=telling.refused)}
        if event.native_stop:
            more["native_finish_reason"] = event.native_stop
        return told + self._choice(event.candidate, {}, more=more)

    def _end(self, event: Done | Failed) -> bytes:
        self._closed = True
        if isinstance(event, Failed):
            return as_event(_encode(error_object(event.failure, self._asked.id)))
        if not self._usage or not self._asked.request.stream_usage:
            return END
        return as_event(_encode({**self._base, "choices": [], "usage": write_usage(self._usage)})) + END


def _with_role(delta: Made, new: bool) -> Made:
    return {"role": "assistant", **delta} if new else delta

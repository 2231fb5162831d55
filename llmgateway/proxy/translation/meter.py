"""Reads an answer in the dialect of its deployment and writes it in that of its caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from dataplane.call import Meter, Usage
from dataplane.errors import Garbled, HouseError, UpstreamFailed
from dataplane.upstream import MAX_ANSWER
from llmgateway.proxy.conversation.answer import Answer, Failure
from llmgateway.proxy.conversation.customs import CustomStream, answer_as_customs
from llmgateway.proxy.conversation.events import Beat, Begin, Delta, Done, Event, Failed, Open, Used, unfold
from llmgateway.proxy.conversation.parts import Special
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.endpoint import UNREADABLE
from llmgateway.proxy.translation.base import ACCOUNT_REFUSED, account_refused

if TYPE_CHECKING:
    from llmgateway.proxy.translation.generate import Generation

KEPT = 64 * 1024
"""Bytes of an upstream's stream that are kept for the debug record, its last ones."""

BYTES_PER_TOKEN = 4
"""For what a whole answer came to where its provider does not say so."""

MOST_PARTS = 2000
"""Of a stream, each looked at beside those before it. No model says anything in so many."""

_STATUSES = {400: "invalid", 402: "quota", 404: "not_found", 413: "too_large", 429: "rate_limit", 503: "overloaded", 504: "timeout"}


class Refusing(UpstreamFailed):
    """The upstream told an error in-band before it said anything else: its caller gets a true status."""

    code = "upstream_failed_in_band"
    sent = True


class TranslatingMeter(Meter):
    """Nothing is written before the first event that says something, so that an error told in its place is a refusal with
    a status, and another deployment may be tried."""

    __slots__ = (
        "_begun",
        "_customs",
        "_deltas",
        "_held",
        "_parts",
        "_raw",
        "_reader",
        "_size",
        "_translation",
        "_usage",
        "_writer",
        "beat",
    )

    def __init__(self, translation: Generation) -> None:
        super().__init__()
        self._translation = translation
        self._reader = translation.target.reader()
        self._writer = translation.writer(translation.asked)
        self._customs = CustomStream(translation.customs) if translation.customs else None
        self._usage: Usage = {}
        self._held: list[bytes] = []
        self._begun = False
        self._deltas = 0
        self._raw = b""
        self._size = self._parts = 0
        self.beat = translation.beat

    # -- whole

    def whole(self, body: bytes) -> bytes:
        translation = self._translation
        try:
            answer = translation.target.parse_answer(msgspec.json.decode(body))
        except (Unreadable, *UNREADABLE) as error:
            if _tells_error(body):
                raise _refusal(translation.target.parse_error(0, body)) from error
            raise Garbled(f"The upstream's answer can not be read: {_short(error)}", raw=body) from error
        if not any(candidate.parts or candidate.stop for candidate in answer.candidates):
            raise Garbled("The upstream's answer says nothing and has not ended.", raw=body)
        answer = answer_as_customs(translation.customs, answer)
        translation.leave_out(_unsaid(answer, translation.caller.name))
        self._usage = answer.usage
        self._deltas = len(body) // BYTES_PER_TOKEN
        self.complete = True
        if translation.stream:
            return self._told_as_stream(answer)
        return msgspec.json.encode(translation.caller.render_answer(answer, translation.asked))

    def _told_as_stream(self, answer: Answer) -> bytes:
        return b"".join(self._writer.write(event) for event in unfold(answer))

    # -- stream

    def feed(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._size > MAX_ANSWER:
            # Readers and writers gather what an answer is made of, so it has the bound that a whole one has.
            raise UpstreamFailed(f"The upstream's answer is larger than {MAX_ANSWER} bytes.", code="upstream_answer_too_large")
        self._raw = (self._raw + data)[-KEPT:] if len(self._raw) + len(data) > KEPT else self._raw + data
        try:
            return self._write(self._reader.feed(data))
        except (Unreadable, *UNREADABLE) as error:
            raise self._garbled(error) from error

    def finish(self) -> bytes:
        try:
            out = self._write(self._reader.finish())
        except (Unreadable, *UNREADABLE) as error:
            raise self._garbled(error) from error
        if not (self.complete or self.failed):
            raise UpstreamFailed("The upstream's stream ended before its answer did.", code="upstream_cut_short")
        return out

    def _garbled(self, error: Exception) -> Garbled:
        return Garbled(f"The upstream's stream can not be read: {_short(error)}", raw=self._raw)

    def _write(self, events: list[Event]) -> bytes:
        out = self._held if not self._begun else []
        if self._customs is not None:
            events = [told for event in events for told in self._customs.tell(event)]
        for event in events:
            self._notice(event)
            if not self._begun:
                if isinstance(event, Failed):
                    raise _refusal(event.failure)
                if isinstance(event, Beat):
                    continue
                self._begun = not isinstance(event, Begin | Used)
            out.append(self._writer.write(event))
        if not self._begun:
            self._held = out
            return b""
        return b"".join(out)

    def _notice(self, event: Event) -> None:
        match event:
            case Used(usage=usage):
                self._usage = usage
            case Delta():
                self._deltas += 1
            case Failed():
                self.failed = True
            case Open():
                self._parts += 1
                if self._parts > MOST_PARTS:
                    raise UpstreamFailed(f"The upstream's answer has more than {MOST_PARTS} parts.", code="upstream_answer_too_large")
            case Done():
                self.complete = True
            case _:
                pass

    # -- what it came to

    def usage(self) -> Usage | None:
        """Only what was told to the end: counts told at a stream's beginning are placeholders."""
        return self._usage or None if self.complete else None

    def partial(self) -> Usage:
        return {**self._usage, "output": max(self._deltas, self._usage.get("output", 0))} if self._usage or self._deltas else {}

    def broken(self, error: HouseError, request_id: str) -> bytes:
        kind = _STATUSES.get(error.status, "server")
        failure = Failure(status=error.status, kind=kind, message=error.message, code=error.code, param=error.param)
        held, self._held = (b"" if self._begun else b"".join(self._held)), []
        return held + self._writer.write(Failed(failure))


def _tells_error(body: bytes) -> bool:
    """Whether it is an error after all, under a status that said success."""
    try:
        told = msgspec.json.decode(body)
    except UNREADABLE:
        return False
    return isinstance(told, dict) and isinstance(told.get("error"), dict | str) and bool(told["error"])


def _refusal(failure: Failure) -> UpstreamFailed:
    if failure.status in ACCOUNT_REFUSED or failure.kind == "authentication":
        return account_refused()
    status = failure.status if 400 <= failure.status <= 599 else 502
    return Refusing(failure.message, code=failure.code or None, status=status)


def _unsaid(answer: Answer, caller: str) -> list[str]:
    """What a vendor's own tools put into an answer that another dialect has no words for."""
    parts = (part for candidate in answer.candidates for part in candidate.parts)
    return list(dict.fromkeys(f"answer.{part.kind}" for part in parts if isinstance(part, Special) and part.vendor != caller))


def _short(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__

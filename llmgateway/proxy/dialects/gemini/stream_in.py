"""Reads a stream of `streamGenerateContent?alt=sse`: each event is a GenerateContentResponse that adds to those before.

Counts are cumulative. There is no end marker: a stream is complete when each candidate that it began has a reason to end.
"""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from dataplane.errors import BadRequest, UpstreamFailed
from dataplane.sse import Splitter, data_of, events
from llmgateway.proxy.conversation.answer import FILTER
from llmgateway.proxy.conversation.events import Beat, Begin, Done, Event, Failed, Stop, Used
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.gemini import plain
from llmgateway.proxy.dialects.gemini.answer import blocked, read_usage, unix_time
from llmgateway.proxy.dialects.gemini.branch import Branch
from llmgateway.proxy.dialects.gemini.errors import failure_of
from llmgateway.proxy.dialects.gemini.names import BLOCKED
from llmgateway.proxy.dialects.gemini.reading import Members
from llmgateway.proxy.dialects.gemini.usage import from_gemini

MOST_CANDIDATES = 1000
"""More than any model answers at once; a larger index only serves to fill the memory."""


class GeminiReader:
    __slots__ = ("_begun", "_branches", "_failed", "_id", "_splitter", "_stopped", "_usage")

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._branches: dict[int, Branch] = {}
        self._usage: Usage = {}
        self._begun = False
        self._failed = False
        self._stopped: Stop | None = None
        self._id = ""

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
            found += branch.whole_call() + branch.close()
        stops = [branch.stop() for branch in self._branches.values()] if self._branches else [self._stopped]
        found += [stop for stop in stops if stop is not None]
        return [*found, Done()] if all(stop is not None for stop in stops) else found

    def _response(self, data: bytes) -> list[Event]:
        chunk = plain.read(data)
        if chunk is not None:
            return self._plain(chunk)
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

    def _plain(self, chunk: plain.PlainChunk) -> list[Event]:
        found = self._begin(chunk.response_id, chunk.model_version, chunk.create_time)
        for place, candidate in enumerate(chunk.candidates):
            found += self._branch(candidate.index, place).read_plain(candidate)
        usage = chunk.usage_metadata
        return found if usage is None else [*found, *self._count(from_gemini(usage) or {})]

    def _begin(self, response: str, model: str, created: Json) -> list[Event]:
        if self._begun:
            return []
        self._begun, self._id = True, response
        return [Begin(response, model.removeprefix("models/"), unix_time(created))]

    def _branch(self, index: int | None, place: int) -> Branch:
        number = place if index is None else index
        if not 0 <= number < MOST_CANDIDATES:
            raise Unreadable("a candidate has an index that is none")
        if number not in self._branches:
            self._branches[number] = Branch(number, self._id)
        return self._branches[number]

    def _count(self, usage: Usage) -> list[Event]:
        if not usage or usage == self._usage:
            return []
        self._usage = usage
        return [Used(usage)]

    def _read(self, top: Members) -> list[Event]:
        found = self._begin(top.text("responseId") or "", top.text("modelVersion") or "", top.take("createTime"))
        for place, candidate in enumerate(top.many("candidates")):
            found += self._branch(candidate.integer("index"), place).read(candidate)
        reason = blocked(top.left)
        if reason is not None and not self._branches:
            self._stopped = Stop(0, FILTER, native_stop=BLOCKED + reason)
        return [*found, *self._count(read_usage(top.take("usageMetadata")))]


def reader() -> GeminiReader:
    return GeminiReader()

"""The lines of a batch's file, as OpenAI has them: `{"custom_id", "method", "url", "body"}`, one call each."""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap

import msgspec

from dataplane.errors import BadRequest, HouseError
from llmgateway.proxy import body as bodies
from llmgateway.proxy.providers import CHAT, RESPONSES
from llmgateway.proxy.stored.batch_calls import BatchCalls, Kind

LONGEST_LINE = 32 * 1024 * 1024

_KINDS = (
    Kind("/v1/chat/completions", CHAT),
    Kind("/v1/responses", RESPONSES),
    Kind("/v1/embeddings", "", has_output=False),
    Kind("/v1/completions", ""),
)
KINDS = {kind.url: kind for kind in _KINDS}
"""What a batch may call: what the house can meter."""

_MEMBERS = frozenset({"custom_id", "method", "url", "body"})
_NOTHING = msgspec.Raw(b"null")
_encode = msgspec.json.Encoder().encode


class Lines(BatchCalls):
    """Of one file, for one account."""

    def rewritten(self, data: mmap, start: int, end: int) -> Iterator[bytes]:
        """The lines between two offsets as they go to the provider. Raises HouseError, naming the line."""
        number = 0
        while start < end:
            stop = data.find(b"\n", start, end)
            stop = end if stop < 0 else stop
            number += 1
            try:
                if stop - start > LONGEST_LINE:
                    raise BadRequest(f"It is longer than {LONGEST_LINE} bytes.", code="batch_line_refused")
                if line := data[start:stop].strip():
                    yield self.line(number, line) + b"\n"
            except HouseError as error:
                raise self.named(number, error) from None
            start = stop + 1
        if not self.count:
            raise BadRequest("The file of a batch must have a line.", param="file", code="empty_file")

    def line(self, number: int, line: bytes) -> bytes:
        """Raises HouseError."""
        outer = bodies.parse(line)
        for name in outer:
            if name.casefold() in _MEMBERS and name not in _MEMBERS:
                raise BadRequest(f"The field {name[:64]!r} is ambiguous.", param=name[:64], code="ambiguous_field")
        url = bodies.string(outer, "url")
        kind = KINDS.get(url)
        if kind is None or bodies.string(outer, "method") != "POST":
            text = f"A batch may POST to {', '.join(KINDS)}, not to {url[:100]!r}."
            raise BadRequest(text, param="url", code="unsupported_url")
        body = self.call(number, bytes(memoryview(outer.get("body", _NOTHING))), kind)
        return _encode({**outer, "body": msgspec.Raw(body)})

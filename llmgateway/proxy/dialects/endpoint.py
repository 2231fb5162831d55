"""What makes one endpoint of a dialect: its address upstream, the fields the gateway looks at, how its answers are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from dataplane.asgi import Headers, Request
from dataplane.call import Meter, Usage
from dataplane.errors import Garbled, HouseError
from llmgateway.proxy import body as bodies
from llmgateway.proxy.body import Fields

GENERATE, COUNT, EMBED, RERANK = "generate", "count", "embed", "rerank"
"""Operations that can be translated between dialects; any other goes only to who speaks the caller's own."""


def headers(*names: str) -> tuple[tuple[bytes, str], ...]:
    """Header names as they come and as they go out."""
    return tuple((name.encode(), name) for name in names)


FORWARDED = headers("accept", "user-agent", "http-referer", "x-title")
"""Headers of the caller that go upstream in every dialect. Credentials and cookies never do."""


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding an answer may raise, whatever a provider sends."""


def refuse_garbled(body: bytes, error: Exception) -> None:
    """Raises Garbled for an answer that is no JSON at all. What is JSON of an unexpected shape is the caller's to judge."""
    if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        raise Garbled("The upstream's answer is not valid JSON.", raw=body) from error


ANSWERED_BYTES_PER_TOKEN = 4
"""Of a whole answer that does not say what was used: from above, for its JSON is counted too."""

_json = msgspec.json.Decoder(msgspec.Raw)


class FreeMeter(Meter):
    """Of an answer in JSON that nothing is charged for."""

    def whole(self, body: bytes) -> bytes:
        try:
            _json.decode(body)
        except UNREADABLE as error:
            refuse_garbled(body, error)
        return body

    def usage(self) -> Usage | None:
        return {}


def nothing_owned(fields: Fields) -> dict[str, object]:
    return {}


class Bounds(NamedTuple):
    """What a call says about its own size: the most output tokens, and how many answers."""

    output: int | None
    answers: int | None


def flat_bounds(*names: str) -> Callable[[Fields], Bounds]:
    """Of a dialect that has the maximum in one of these members of the body, and the number of answers in `n`. Which of
    several a provider heeds is its own affair: the largest counts."""

    def bounds(fields: Fields) -> Bounds:
        asked = [value for name in names if (value := bodies.integer(fields, name)) is not None]
        return Bounds(max(asked, default=None), bodies.integer(fields, "n"))

    return bounds


class Endpoint(NamedTuple):
    """`wire` is the wire dialect that its callers speak, `operation` what it does, where others can do that too.

    `path` is its address upstream, with `{model}` where the address names the model; of a stream it is `stream_path` where
    that differs. `content` is the field that carries the prompt and its JSON types (None: it may stand in several);
    `bounds` reads what bounds the output; `free` says that nothing is charged for it, `refers` that its bodies may name
    what is stored at a provider. `inject` gives the fields that the
    gateway adds for a stream; `rename(fields, model)` those that name the model inside of a body whose address names it;
    `meter(injected)` makes the reader of an answer."""

    wire: str
    path: str
    content: tuple[str, tuple[str, ...]] | None
    meter: Callable[[bool], Meter]
    refuse: Callable[[Request, HouseError], tuple[int, Headers, bytes]]
    bounds: Callable[[Fields], Bounds] = flat_bounds()
    operation: str = ""
    streams: bool = True
    stream_path: str = ""
    has_output: bool = True
    free: bool = False
    refers: bool = False
    inject: Callable[[Fields], dict[str, object]] = nothing_owned
    rename: Callable[[Fields, str], dict[str, object]] | None = None
    forwarded: tuple[tuple[bytes, str], ...] = FORWARDED
    defaults: tuple[tuple[bytes, str, str], ...] = ()
    own_request_id: bool = False

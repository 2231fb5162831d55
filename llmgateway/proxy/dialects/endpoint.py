"""What makes one endpoint of a dialect: its address upstream, the fields the gateway looks at, how its answers are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from dataplane.asgi import Headers, Request
from dataplane.call import Meter
from dataplane.errors import HouseError
from llmgateway.proxy.body import Fields


def headers(*names: str) -> tuple[tuple[bytes, str], ...]:
    """Header names as they come and as they go out."""
    return tuple((name.encode(), name) for name in names)


FORWARDED = headers("accept", "user-agent", "http-referer", "x-title")
"""Headers of the caller that go upstream in every dialect. Credentials and cookies never do."""


UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding an answer may raise, whatever a provider sends. It is the caller's to judge then, and is relayed."""


def nothing_owned(fields: Fields) -> dict[str, object]:
    return {}


class Endpoint(NamedTuple):
    """`content` is the field that carries the prompt and its JSON types; `maximum` the fields that may bound the output;
    `inject` gives the fields that the gateway adds for a stream; `meter(injected)` makes the reader of an answer."""

    dialect: str
    path: str
    content: tuple[str, tuple[str, ...]]
    maximum: tuple[str, ...]
    meter: Callable[[bool], Meter]
    refuse: Callable[[Request, HouseError], tuple[int, Headers, bytes]]
    streams: bool = True
    has_output: bool = True
    inject: Callable[[Fields], dict[str, object]] = nothing_owned
    forwarded: tuple[tuple[bytes, str], ...] = FORWARDED
    defaults: tuple[tuple[bytes, str, str], ...] = ()

"""What a dialect brings: how its requests, answers, streams and errors are read into the one conversation and written from it.

Everything here is sans-IO and works on decoded JSON, but for streams, which come as bytes in any split. Readers raise
`Unreadable` for what is not of the dialect, writers and renderers never fail: what they can't express goes to `Losses`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from llmgateway.proxy.conversation.answer import Answer, Failure
from llmgateway.proxy.conversation.events import Event
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.providers import Facts


class Unreadable(ValueError):
    """An answer or an event that is not of its dialect: broken JSON, a wrong type where the meaning depends on it. Fields that
    nobody knows are never a reason."""


class Target(NamedTuple):
    """The deployment that a request is written for. `model` is the provider's own name for it, `facts` are its vendor's."""

    dialect: str
    model: str
    facts: Facts

    @property
    def label(self) -> str:
        return f"{self.dialect} at {self.facts.label}" if self.facts.label else self.dialect


class Asked(NamedTuple):
    """What the writer of an answer must know of the call: `request` and `body` as its caller sent them, `model` as the
    caller named it, `id` of the house's request (it makes ids where the upstream gave none), `created` Unix time."""

    request: Request
    body: Json
    model: str
    id: str
    created: int


class Reader(Protocol):
    """Reads one upstream stream. Bytes come in any split; nothing that has not ended is looked at."""

    def feed(self, data: bytes) -> list[Event]:
        """Raises Unreadable."""

    def finish(self) -> list[Event]:
        """The stream has ended in order. Gives what was held back, and Done where the dialect's own end marker (or, in
        a dialect without one, a stop reason) had come; a stream cut short gives no Done. Raises Unreadable."""


class Writer(Protocol):
    """Writes one stream for a caller."""

    content_type: str

    def write(self, event: Event) -> bytes:
        """The bytes that tell this event, b"" where it says nothing yet."""


class Dialect(NamedTuple):
    """`parse_request(body, model, stream)`: model and stream are those of the address, for dialects that have them there
    (Gemini, Bedrock); the others ignore both and read their body. It raises BadRequest for a body of wrong types, with the field's
    path as `param`. `render_error(failure, request_id)` is a whole body; in a stream `Writer.write(Failed)` tells it."""

    name: str
    label: str
    parse_request: Callable[[Json, str, bool], Request]
    render_request: Callable[[Request, Target, Losses], Json]
    parse_answer: Callable[[Json], Answer]
    render_answer: Callable[[Answer, Asked], Json]
    reader: Callable[[], Reader]
    writer: Callable[[Asked], Writer]
    parse_error: Callable[[int, bytes], Failure]
    render_error: Callable[[Failure, str], bytes]

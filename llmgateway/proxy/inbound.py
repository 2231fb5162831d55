"""A caller's request to one endpoint: what its address and its body say, before anything is looked up."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from dataplane.asgi import Request
from llmgateway.proxy import body as bodies
from llmgateway.proxy.body import Fields
from llmgateway.proxy.conversation.request import Request as Conversation
from llmgateway.proxy.conversation.seals import BASE64_MARK, MARK
from llmgateway.proxy.dialects.endpoint import GENERATE, Endpoint


class Inbound:
    """`anew` says that what was looked at must be what is sent: a
    member that is there twice is then there once. `parsed` is what it asks for, once somebody had
    to know. `model` and `stream` stand in the body or, in dialects that have them there, in the address (`from_address`)."""

    __slots__ = (
        "anew",
        "body",
        "endpoint",
        "fields",
        "from_address",
        "injected",
        "lossy",
        "model",
        "parsed",
        "remarkable",
        "request",
        "stream",
    )

    def __init__(self, endpoint: Endpoint, request: Request, body: bytes, *, address: tuple[str, bool] | None = None) -> None:
        """Raises BadRequest."""
        self.endpoint = endpoint
        self.request = request
        self.body = body
        self.fields: Fields = bodies.parse(body)
        bodies.refuse_ambiguous(self.fields)
        self.anew = False
        self.from_address = address is not None
        self.stream = False
        self.parsed: Conversation | None = None
        if address is not None:
            self.model, self.stream = address
        else:
            self.model = bodies.string(self.fields, "model")

    def check(self) -> None:
        """The rest of what is looked at, once the model is known to be the caller's to use. Raises BadRequest."""
        endpoint, fields = self.endpoint, self.fields
        if endpoint.content is not None:
            bodies.require(fields, *endpoint.content)
        if endpoint.streams and not self.from_address:
            self.stream = bodies.flag(fields, "stream")
        self.remarkable = bodies.remarkable(self.body)
        self.injected = endpoint.inject(fields) if self.stream else {}
        self.lossy = self.request.headers.get(LOSSY) == b"allow"

    @property
    def sealed(self) -> bool:
        """Whether it carries another vendor's signatures, sealed for the way through its caller: such a body must not pass
        as it is, for nobody upstream can read them."""
        body = self.body
        return (
            self.remarkable
            and self.endpoint.operation == GENERATE
            and (BASE64_SEAL in body or (SEAL in body and SEALED.search(body) is not None))
        )

    @property
    def path(self) -> str:
        return self.endpoint.stream_path if self.stream and self.endpoint.stream_path else self.endpoint.path

    def query(self) -> str:
        """As it came, but for a key: callers may send theirs there, and it is nobody's business upstream. Of Google's
        only the form of the answer goes on: other parameters name headers, another method, or the fields that an answer is to
        have, and without its usage a call would be charged too little."""
        raw = self.request.query
        if self.from_address:
            form = self._form()
            return f"alt={form}" if form in ("sse", "json") else ""
        if b"key=" in raw:
            raw = b"&".join(pair for pair in raw.split(b"&") if not pair.startswith(b"key="))
        return raw.decode("latin-1")

    @property
    def as_events(self) -> bool:
        """Whether a stream of an address that names its model is asked for as server-sent events, and not as one array."""
        return self._form() == "sse"

    def _form(self) -> str:
        """The last `alt`, or `$alt`: Google's servers take both."""
        pairs = parse_qsl(self.request.query.decode("latin-1"), max_num_fields=None)
        return next((value.lower() for name, value in reversed(pairs) if name in ("alt", "$alt")), "")

    def forwarded(self) -> list[tuple[str, str]]:
        """The caller's headers that go upstream in its own dialect."""
        given, endpoint = self.request.headers, self.endpoint
        headers = [(name, value.decode("latin-1")) for key, name in endpoint.forwarded if (value := given.get(key)) is not None]
        headers += [(name, text) for key, name, text in endpoint.defaults if key not in given]
        return headers

    def rewritten(self, model: str) -> bytes:
        """The body with the deployment's own name for the model, where it stands in there, and the gateway's own fields."""
        owned = self.injected
        if self.from_address:
            rename = self.endpoint.rename
            return self.body if rename is None or not (own := rename(self.fields, model)) else bodies.rewrite(self.body, self.fields, own)
        if model != self.model:
            owned = {**owned, "model": model}
        return bodies.rewrite(self.body, self.fields, owned, anew=self.anew)


SEAL, BASE64_SEAL = f'"{MARK}'.encode(), f'"{BASE64_MARK}'.encode()
SEALED = re.compile(rf'"{re.escape(MARK)}[a-z0-9_-]+\.[a-z]+\.'.encode())
"""A text may well begin with the mark alone."""

LOSSY = b"x-customhouse-lossy"

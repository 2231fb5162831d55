"""What every translated operation gives the call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from dataplane.asgi import JSON_TYPE
from dataplane.call import Meter
from dataplane.errors import BadRequest, UpstreamFailed
from llmgateway.proxy.conversation.answer import Failure

ACCOUNT_REFUSED = frozenset((401, 402, 407))
"""The provider refuses the house, not its caller: told as the caller's own, it would throw a good key away, and the
provider's text may quote the house's credential."""

DROPPED = b"x-customhouse-dropped"


@contextmanager
def readable() -> Iterator[None]:
    """Around whatever decodes a caller's whole body. Raises BadRequest for what can't be decoded: bytes that are no UTF-8,
    numbers that no machine holds, more depth than there is a stack for."""
    try:
        yield
    except RecursionError:
        raise BadRequest("The body is nested too deeply.", code="invalid_json") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BadRequest(f"The body is not valid JSON: {error}", code="invalid_json") from None


def account_refused() -> UpstreamFailed:
    return UpstreamFailed("The provider does not accept the house's own account.", code="upstream_account_refused")


def of_call(failure: Failure) -> Failure:
    """An upstream's refusal that is the call's own affair. Raises UpstreamFailed for one of the house's account, under whatever
    status it came: Bedrock says so with a 403, Google with a 400."""
    if failure.kind == "authentication":
        raise account_refused()
    return failure


class Translation:
    """A request written for one deployment. `path` is behind its base URL, `dropped` names what was left out."""

    __slots__ = ("body", "dropped", "headers", "path", "query")

    def __init__(self, *, path: str, body: bytes, query: str = "", dropped: str = "", headers: list[tuple[str, str]] | None = None) -> None:
        self.path = path
        self.body = body
        self.query = query
        self.dropped = dropped
        self.headers = headers or []

    def leave_out(self, names: list[str]) -> None:
        """Further things that the caller is told to be missing."""
        if names:
            self.dropped = ", ".join((self.dropped, *names) if self.dropped else names)

    def meter(self) -> Meter:
        raise NotImplementedError

    def is_stream(self, content_type: str) -> bool:
        return False

    def error(self, status: int, body: bytes) -> bytes:
        """The upstream's refusal in the caller's dialect."""
        raise NotImplementedError

    def content_type(self, status: int) -> bytes:
        return JSON_TYPE[1]

    def answer_headers(self, status: int) -> list[tuple[bytes, bytes]]:
        headers = [(b"content-type", self.content_type(status))]
        if self.dropped:
            headers.append((DROPPED, self.dropped.encode("latin-1")))
        return headers

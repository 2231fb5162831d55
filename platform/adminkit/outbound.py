"""The one door out of the control plane: health checks, discovery, imports, OAuth. Nothing else makes an httpx client.

A client from here calls http and https URLs in plain spelling only, connects to checked addresses only, follows no
redirect by itself, takes no proxy from the environment, and reads a bounded amount in a bounded time. Refusals are
`OutboundRefused` (an httpx.RequestError and an AddressRefused), too large answers `AnswerTooLarge`.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from typing import Any

import httpcore
import httpx

from adminkit.bounded import AnswerTooLarge, AsyncBoundedStream, BodyBound, BoundedStream, decoded_headers
from adminkit.pinning import AsyncPinnedBackend, OutboundRefused, PinnedBackend
from dataplane.addresses import AddressRefused, check_url

__all__ = ["AnswerTooLarge", "OutboundRefused", "async_client", "client"]

TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=30.0, pool=5.0)
TOTAL_SECONDS = 120.0
MAX_BODY = 10 * 1024 * 1024

_LIMITS: dict[str, Any] = {"max_connections": 20, "max_keepalive_connections": 5, "keepalive_expiry": 5.0}
_HEADERS = {"user-agent": "customhouse", "accept-encoding": "gzip"}


def client(
    *,
    allow_private: bool = False,
    timeout: httpx.Timeout | float = TIMEOUT,
    total_seconds: float = TOTAL_SECONDS,
    max_body: int = MAX_BODY,
    headers: Mapping[str, str] | None = None,
) -> httpx.Client:
    """A guarded client, to be used as a context manager. `max_body` counts decoded bytes; `timeout` is per operation,
    `total_seconds` per exchange. `allow_private` lets loopback and private addresses through, never metadata ones."""
    transport = _Transport(allow_private=allow_private, total_seconds=total_seconds, max_body=max_body)
    return httpx.Client(
        transport=transport, timeout=timeout, headers={**_HEADERS, **(headers or {})}, follow_redirects=False, trust_env=False
    )


def async_client(
    *,
    allow_private: bool = False,
    timeout: httpx.Timeout | float = TIMEOUT,
    total_seconds: float = TOTAL_SECONDS,
    max_body: int = MAX_BODY,
    headers: Mapping[str, str] | None = None,
) -> httpx.AsyncClient:
    """The same, asynchronous."""
    transport = _AsyncTransport(allow_private=allow_private, total_seconds=total_seconds, max_body=max_body)
    return httpx.AsyncClient(
        transport=transport, timeout=timeout, headers={**_HEADERS, **(headers or {})}, follow_redirects=False, trust_env=False
    )


def _check(request: httpx.Request) -> None:
    try:
        _, host, _ = check_url(str(request.url))
    except AddressRefused as error:
        raise OutboundRefused(str(error), request=request) from None
    # What is connected to comes from httpx's own reading of the URL. Both readings have to name the same host.
    if request.url.host.lower().removesuffix(".") != host and "[" not in str(request.url):
        raise OutboundRefused("the URL can be read in two ways", request=request)
    if len(request.headers.get_list("host")) != 1 or request.headers["host"] != request.url.netloc.decode("ascii"):
        raise OutboundRefused("the Host header does not belong to the URL", request=request)


def _verifying() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


class _Transport(httpx.HTTPTransport):
    def __init__(self, *, allow_private: bool, total_seconds: float, max_body: int) -> None:
        # Not super().__init__: httpx offers no way to hand its transport a network backend, only to replace its pool.
        backend = PinnedBackend(allow_private=allow_private)
        self._pool = httpcore.ConnectionPool(ssl_context=_verifying(), network_backend=backend, **_LIMITS)
        self.total_seconds, self.max_body = total_seconds, max_body

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        _check(request)
        deadline = time.monotonic() + self.total_seconds
        response = super().handle_request(request)
        try:
            bound = BodyBound(encoding=_encoding(response), limit=self.max_body, deadline=deadline)
        except httpx.DecodingError:
            response.close()
            raise
        return httpx.Response(
            response.status_code,
            headers=decoded_headers(response.headers),
            stream=BoundedStream(response.stream, bound),
            extensions=response.extensions,
        )


class _AsyncTransport(httpx.AsyncHTTPTransport):
    def __init__(self, *, allow_private: bool, total_seconds: float, max_body: int) -> None:
        backend = AsyncPinnedBackend(allow_private=allow_private)
        self._pool = httpcore.AsyncConnectionPool(ssl_context=_verifying(), network_backend=backend, **_LIMITS)
        self.total_seconds, self.max_body = total_seconds, max_body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        _check(request)
        deadline = time.monotonic() + self.total_seconds
        response = await super().handle_async_request(request)
        try:
            bound = BodyBound(encoding=_encoding(response), limit=self.max_body, deadline=deadline)
        except httpx.DecodingError:
            await response.aclose()
            raise
        return httpx.Response(
            response.status_code,
            headers=decoded_headers(response.headers),
            stream=AsyncBoundedStream(response.stream, bound),
            extensions=response.extensions,
        )


def _encoding(response: httpx.Response) -> str:
    return response.headers.get("content-encoding", "").strip().lower()

"""JSON-RPC over Streamable HTTP, as much as asking a server about itself needs: one answer per request, raw.

The SDK's typed client drops members it does not know, and what it drops can't be pinned. So the answer's bytes are
kept as sent. Sources: MCP 2025-11-25 and 2026-07-28, basic/transports.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from dataplane.addresses import AddressRefused
from registry.errors import DiscoveryError

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of one answer. A page of 5,000 tools of 2 KiB each is 10 MiB."""
MODERN = "2026-07-28"
LEGACY = "2025-11-25"
CLIENT_INFO = {"name": "customhouse", "version": "1"}


class RpcRefused(DiscoveryError):
    """The server answered with an error. `status` is HTTP's."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unreachable(DiscoveryError):
    """No connection came about, so that asking in another way is no use."""


class _Envelope(msgspec.Struct):
    """A JSON-RPC message of which only the outer members are read."""

    id: int | str | None = None
    method: str | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""


_decode = msgspec.json.Decoder(_Envelope).decode


class Caller:
    """One conversation with one server. `deadline` is in seconds of time.monotonic for all of it."""

    def __init__(self, client: httpx.Client, url: str, *, headers: dict[str, str], deadline: float) -> None:
        self._client = client
        self._url = url
        self._headers = headers
        self._deadline = deadline
        self._last_id = 0
        self.session: str | None = None
        self.version = ""

    def call(self, method: str, params: dict[str, Any]) -> bytes:
        """The result's bytes as sent. Raises DiscoveryError, RpcRefused for what the server itself refuses."""
        self._last_id += 1
        body = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}
        with self._post(body, method) as response:
            if response.status_code == 404 and self.session:
                raise RpcRefused("it forgot the session", status=404)
            if response.status_code >= 300:
                raise self._refusal(response)
            self.session = response.headers.get("mcp-session-id", self.session)
            for message in self._messages(response):
                envelope = self._parse(message)
                if envelope is None:
                    raise DiscoveryError(f"its answer to {method} can't be read as JSON-RPC")
                if envelope.id == self._last_id and envelope.method is None:
                    return self._result(envelope, response.status_code)
        raise DiscoveryError(f"it ended its answer to {method} without one")

    def notify(self, method: str) -> None:
        with self._post({"jsonrpc": "2.0", "method": method}, method) as response:
            if response.status_code >= 300:
                raise self._refusal(response)

    def hang_up(self) -> None:
        """Ends a legacy session, if there is one. Servers may refuse; then it times out there."""
        if self.session is not None:
            with self._exchange("DELETE", headers=self._all_headers("")):
                pass

    def _post(self, body: dict[str, Any], method: str) -> Any:
        headers = self._all_headers(method) | {"content-type": "application/json"}
        return self._exchange("POST", content=json.dumps(body).encode(), headers=headers)

    def _exchange(self, verb: str, **kwargs: Any) -> _Exchange:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise DiscoveryError("it took too long to tell about itself")
        return _Exchange(self._client.stream(verb, self._url, timeout=httpx.Timeout(min(left, 10.0), read=left), **kwargs))

    def _all_headers(self, method: str) -> dict[str, str]:
        headers = {**self._headers, "accept": "application/json, text/event-stream"}
        if self.version:
            headers["mcp-protocol-version"] = self.version
        if self.version == MODERN and method:
            headers["mcp-method"] = method
        if self.session:
            headers["mcp-session-id"] = self.session
        return headers

    def _refusal(self, response: httpx.Response) -> RpcRefused:
        status = response.status_code
        if status in {401, 403}:
            return RpcRefused(f"it refused our credential (HTTP {status})", status=status)
        if 300 <= status < 400:
            return RpcRefused(f"it redirects (HTTP {status}), which is not followed: register the final address", status=status)
        envelope = self._parse(b"".join(self._chunks(response)))
        error = _error_of(envelope) if envelope is not None else None
        if error is not None:
            return RpcRefused(f"it answered: {error.message[:300]} ({error.code}, HTTP {status})", status=status)
        return RpcRefused(f"it answered HTTP {status}", status=status)

    def _result(self, envelope: _Envelope, status: int) -> bytes:
        error = _error_of(envelope)
        if error is not None:
            raise RpcRefused(f"it answered: {error.message[:300]} ({error.code})", status=status)
        if not bytes(envelope.result):
            raise DiscoveryError("its answer has neither result nor error")
        return bytes(envelope.result)

    def _messages(self, response: httpx.Response) -> Iterator[bytes]:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream":
            yield from _events(self._chunks(response))
        elif kind == "application/json":
            yield b"".join(self._chunks(response))
        else:
            raise DiscoveryError(f"it answered HTTP {response.status_code} with {kind or 'no content type'}, which is not MCP")

    def _chunks(self, response: httpx.Response) -> Iterator[bytes]:
        size = 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > MAX_ANSWER:
                raise DiscoveryError("its answer is larger than 16 MiB")
            if time.monotonic() > self._deadline:
                raise DiscoveryError("it took too long to tell about itself")
            yield chunk

    def _parse(self, message: bytes) -> _Envelope | None:
        try:
            return _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


class _Exchange:
    """An answer while it is read; what goes wrong in the transport comes out as DiscoveryError."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __enter__(self) -> httpx.Response:
        try:
            response: httpx.Response = self._stream.__enter__()
        except httpx.HTTPError as error:
            raise failure(error) from None
        return response

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._stream.__exit__(kind, error, trace)
        if isinstance(error, httpx.HTTPError):
            raise failure(error) from None


def failure(error: httpx.HTTPError) -> DiscoveryError:
    """What went wrong below HTTP, in words."""
    if isinstance(error, AddressRefused):
        return Unreachable(f"it may not be called: {error}")
    if isinstance(error, httpx.ConnectTimeout):
        return Unreachable("it can't be reached in time")
    if isinstance(error, httpx.ConnectError):
        return Unreachable(f"it can't be reached ({error})")
    if isinstance(error, httpx.TimeoutException):
        return DiscoveryError("it took too long to answer")
    return DiscoveryError(f"the connection failed ({error or type(error).__name__})")


def _error_of(envelope: _Envelope) -> _Error | None:
    raw = bytes(envelope.error)
    if not raw or raw == b"null":
        return None
    try:
        return msgspec.json.decode(raw, type=_Error)
    except msgspec.DecodeError:
        return _Error(message="an error without code and message")


def _events(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The data of each server-sent event. Lines end with LF, CR LF or CR, and any chunk may end inside one."""
    buffer = b""
    data: list[bytes] = []
    for chunk in chunks:
        buffer += chunk
        held = buffer.endswith(b"\r")  # perhaps half of a CR LF
        lines = (buffer[:-1] if held else buffer).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        buffer = lines.pop() + (b"\r" if held else b"")
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                yield b"\n".join(data)
                data = []
    if data:
        yield b"\n".join(data)

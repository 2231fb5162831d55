"""HTTP as bytes, for requests that no honest client library would send."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

LIMIT = 20.0


@dataclass(frozen=True)
class RawAnswer:
    """`status` 0 means that the connection was closed without an answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def head(method: str, path: str, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def posting(url: str, path: str, body: Any, headers: Iterable[tuple[str, str]] | dict[str, str] = ()) -> bytes:
    """A right POST of JSON, `headers` added as they are."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    own = [("host", urlsplit(url).netloc), ("content-type", "application/json"), ("content-length", str(len(data)))]
    return head("POST", path, [*own, *pairs]) + data


@contextlib.contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=LIMIT) as opened:
        yield opened


def answer_on(opened: socket.socket, method: str = "POST") -> RawAnswer:
    response = HTTPResponse(opened, method=method)
    try:
        response.begin()
        return RawAnswer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    except (HTTPException, ConnectionError):
        return RawAnswer(0, {}, b"")
    finally:
        response.close()


def exchange(url: str, data: bytes) -> RawAnswer:
    """Sends the bytes on a connection of its own and reads one answer."""
    with connected(url) as opened:
        with contextlib.suppress(ConnectionError):
            opened.sendall(data)
        return answer_on(opened)

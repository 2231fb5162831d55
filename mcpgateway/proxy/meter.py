"""Reads an upstream's answer as it passes: whether the call failed, and what in it is not for this caller.

Bytes that need no change are relayed as they came. Changed are only results that list tools and, for a caller that may
use some tools of a server and nothing else of it, results that advertise the rest.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dataplane.call import Meter, Usage
from dataplane.errors import HouseError, UpstreamFailed
from dataplane.jsonrpc import INTERNAL_ERROR, Members, error_body, members_of
from dataplane.sse import Splitter, data_of, event, events

Rewrite = Callable[[bytes], bytes]
"""Takes a result's raw JSON and returns what the caller gets in its place, the same object if nothing changes."""

_TOOLS = b'"tools"'
_ESCAPE = b"\\u00"
"""With it a name of ASCII letters can be spelled in another way: "to\\u006fls"."""

_encode = msgspec.json.Encoder().encode


class _Result(msgspec.Struct):
    isError: bool | None = None  # noqa: N815 - the wire's name


class _Answer(msgspec.Struct):
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET
    result: _Result | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_answer = msgspec.json.Decoder(_Answer)


class McpMeter(Meter):
    """One answer: JSON or a stream of events.

    `rewrite` changes the result; with `only_lists` it applies to results that carry a list of tools and to nothing
    else: in the sessions era any stream may carry the answer to an earlier request. `owed` says that a stream has to
    bring the answer to `rpc_id`: where it is not resumable, one that ends without is ended with an error."""

    __slots__ = ("_only_lists", "_owed", "_passed", "_rewrite", "_rpc_id", "_splitter", "_usage")

    def __init__(
        self, *, rpc_id: bytes | None, rewrite: Rewrite | None = None, only_lists: bool = False, owed: bool = True, metered: bool = False
    ) -> None:
        super().__init__()
        self._rpc_id = rpc_id
        self._rewrite = rewrite
        self._only_lists = only_lists
        self._owed = owed and rpc_id is not None
        self._passed = False
        self._usage: Usage = {"requests": 1} if metered else {}
        self._splitter = Splitter()

    def whole(self, body: bytes) -> bytes:
        if not body and self._rpc_id is None:
            return body
        return self._message(body)

    def feed(self, data: bytes) -> bytes:
        block = self._splitter.feed(data)
        if not block:
            return b""
        self._passed = True
        return self._block(block)

    def finish(self) -> bytes:
        """What never came to its end is not an event (WHATWG HTML), so nobody would have read it."""
        if self.complete or not (self._owed and self._passed):
            return b""
        self.failed = True
        return self._error("The server ended its stream without an answer.", {"code": "upstream_error"})

    def usage(self) -> Usage | None:
        return self._usage

    def partial(self) -> Usage:
        return self._usage

    def broken(self, error: HouseError, request_id: str) -> bytes:
        if self.complete or not self._owed:
            return b""
        return self._error(error.message, {"code": error.code, "request_id": request_id})

    def _error(self, message: str, data: dict[str, str]) -> bytes:
        return event(error_body(INTERNAL_ERROR, message, rpc_id=self._rpc_id, data=data), name=b"message")

    def _block(self, block: bytes) -> bytes:
        parts = []
        for part in events(block):
            data = data_of(part)
            if data:
                seen = self._message(data)
                parts.append(part if seen is data else _with_data(part, seen))
            else:
                parts.append(part)
        return block if len(parts) == 1 and parts[0] == block else b"".join(parts)

    def _message(self, data: bytes) -> bytes:
        """One message as the caller gets it; the same object if nothing in it changes. Raises UpstreamFailed."""
        try:
            answer = _answer.decode(data)
        except msgspec.ValidationError:
            return self._odd(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise UpstreamFailed("The server's answer is not JSON-RPC.", code="upstream_protocol_error") from None
        if answer.method is not msgspec.UNSET and answer.result is msgspec.UNSET and answer.error is msgspec.UNSET:
            return data
        self.complete = True
        if answer.error is not msgspec.UNSET or (answer.result is not msgspec.UNSET and answer.result.isError):
            self.failed = True
        if self._rewrite is None or answer.result is msgspec.UNSET or (self._only_lists and _TOOLS not in data and _ESCAPE not in data):
            return data
        return self._rewritten(data, self._rewrite)

    def _odd(self, data: bytes) -> bytes:
        """JSON of an unexpected shape: relayed where nothing is to be hidden in it, since the caller can judge it."""
        self.failed = True
        fields = members_of(data)
        if fields is None:
            raise UpstreamFailed("The server's answer is not JSON-RPC.", code="upstream_protocol_error")
        if self._rewrite is not None and "result" in fields:
            return self._rewritten(data, self._rewrite)
        return data

    def _rewritten(self, data: bytes, rewrite: Rewrite) -> bytes:
        fields: Members = members_of(data) or {}
        result = bytes(fields.get("result", msgspec.Raw(b"{}")))
        if self._only_lists and "tools" not in (members_of(result) or ()):
            return data
        changed = rewrite(result)
        if changed is result:
            return data
        fields["result"] = msgspec.Raw(changed)
        return _encode(fields)


def _with_data(part: bytes, data: bytes) -> bytes:
    """The event with other data; its id, name and retry stay, so that a caller can resume behind it."""
    kept = [line for line in part.splitlines() if line and not line.startswith(b"data")]
    return b"".join(line + b"\n" for line in kept) + event(data)

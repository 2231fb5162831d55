"""What an upstream's HTTP error means for the caller: relayed where it is the server's own word on the message, worded by
the house where it is about the house's side (its credential, the server's era, a server that is broken)."""

from __future__ import annotations

import msgspec

from dataplane.errors import HouseError, RateLimited, UpstreamFailed
from dataplane.jsonrpc import Message
from dataplane.upstream import Answer
from mcpgateway.proxy.eras import HEADER_MISMATCH, LEGACY_VERSIONS, MODERN, MODERN_VERSIONS, UNSUPPORTED_VERSION, unsupported_version
from mcpgateway.proxy.refusals import not_allowed
from mcpgateway.proxy.sessions import unknown_session

AUTO = "auto"
LEGACY = "legacy"

_OURS = frozenset({401, 402, 403, 407})
_CALLERS = frozenset({400, 406, 409, 410, 413, 415, 422})
_MODERN_CODES = frozenset({HEADER_MISMATCH, -32021, UNSUPPORTED_VERSION, -32602, -32601, -32700})
"""Errors of a stateless server. One of the sessions era refuses a message it can't read with others (-32600, -32000)."""

_MODERN_REFUSES_HANDSHAKE = frozenset({HEADER_MISMATCH, UNSUPPORTED_VERSION, -32602, -32601})


class _Error(msgspec.Struct):
    code: int


class _Refusal(msgspec.Struct):
    error: _Error


_refusal = msgspec.json.Decoder(_Refusal)


def failure_of(
    answer: Answer, body: bytes, *, era: str, modern: bool, message: Message | None, version: str, in_session: bool
) -> HouseError | None:
    """None: the body is the server's JSON-RPC error and is relayed under its status."""
    status = answer.status
    code = _code_of(body)
    mismatch = era_mismatch(code, status=status, era=era, modern=modern, message=message, version=version)
    if mismatch is not None:
        return mismatch
    if status in _OURS:
        return UpstreamFailed("The server refused the credential that the house calls it with.", code="upstream_unauthorized")
    if status == 404 and in_session:
        return unknown_session()
    if status == 405 and message is None:
        return not_allowed("POST")
    if status == 429:
        return RateLimited("The server is called too often.", retry_after=_seconds(answer.header("retry-after")))
    if code is not None:
        return None
    if status in _CALLERS:
        return HouseError(f"The server did not accept the request (status {status}).", status=status, code="upstream_refused")
    return UpstreamFailed(f"The server failed (status {status}).")


def era_mismatch(code: int | None, *, status: int, era: str, modern: bool, message: Message | None, version: str) -> HouseError | None:
    """The caller's era is not the server's: a clear answer that names what the server speaks."""
    if era != AUTO or message is None or message.id is None:
        return None
    if modern and status == 400 and code not in _MODERN_CODES:
        return wrong_era(message, modern=True, version=version)
    if not modern and message.method == "initialize" and status in (400, 404) and code in _MODERN_REFUSES_HANDSHAKE:
        return wrong_era(message, modern=False, version=version)
    return None


def wrong_era(message: Message, *, modern: bool, version: str) -> HouseError:
    """For a message of one era to a server of the other. The house relays within an era and does not translate."""
    if modern:
        text = f"This server speaks MCP {LEGACY_VERSIONS[-1]} and older only: open a session with initialize."
        return unsupported_version(MODERN, LEGACY_VERSIONS, text, rpc_id=message.id)
    text = f"This server speaks MCP {MODERN_VERSIONS[-1]} only: it has no initialize and no sessions."
    return unsupported_version(version, MODERN_VERSIONS, text, rpc_id=message.id)


def _code_of(body: bytes) -> int | None:
    try:
        return _refusal.decode(body).error.code
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isdigit() and len(text) < 6 else 1.0

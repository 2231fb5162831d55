"""Access tokens of a Google service account: a signed assertion is exchanged for one, which is used until it nearly expires.

Source: Google's "Using OAuth 2.0 for Server to Server Applications". The exchange goes through the guarded upstream door.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import jwt
import msgspec

from dataplane.errors import UpstreamFailed

if TYPE_CHECKING:
    from dataplane.kit import Kit

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME = 3600
EARLY = 300.0
"""Seconds before its end that a token is replaced."""
MOST = 64 * 1024
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


_SENDABLE = re.compile(r"[!-~]+")
"""What a header may hold of a token."""


class NoToken(UpstreamFailed):
    """No token could be had. The model was not asked, whatever the token service was: nothing was billed."""

    code = "upstream_account_refused"
    sent = False


class _Account(msgspec.Struct):
    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = TOKEN_URI


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int = LIFETIME


class ServiceAccount:
    """One account's current token. Callers that come while it is fetched wait for the one fetch."""

    def __init__(self, kit: Kit, account: _Account, *, allow_private: bool = False) -> None:
        self._account = account
        self._upstream = kit.upstreams.get(account.token_uri, allow_private=allow_private, timeouts=(5.0, 10.0, 15.0))
        self._token = ""
        self._good_until = 0.0
        self._lock: asyncio.Lock | None = None

    async def headers(self) -> list[tuple[str, str]]:
        """Raises UpstreamFailed when no token can be had."""
        if time.monotonic() >= self._good_until:
            if self._lock is None:
                self._lock = asyncio.Lock()
            async with self._lock:
                if time.monotonic() >= self._good_until:
                    await self._renew()
        return [("authorization", f"Bearer {self._token}")]

    async def _renew(self) -> None:
        asked_at = time.monotonic()
        body = urlencode({"grant_type": GRANT, "assertion": self._assertion()}).encode()
        headers = [("content-type", "application/x-www-form-urlencoded"), ("accept-encoding", "identity")]
        try:
            status, data = await self._exchanged(headers, body)
        except UpstreamFailed as error:
            raise NoToken(f"The provider's token service failed: {error.message}", code=error.code, status=error.status) from error
        try:
            if status != 200:
                raise ValueError
            token = msgspec.json.decode(data, type=_Token)
            if not _SENDABLE.fullmatch(token.access_token):
                raise ValueError
        except (ValueError, msgspec.MsgspecError, RecursionError):
            raise NoToken("The provider's token service does not accept the house's own account.") from None
        self._token = token.access_token
        self._good_until = asked_at + max(token.expires_in - EARLY, 30.0)

    async def _exchanged(self, headers: list[tuple[str, str]], body: bytes) -> tuple[int, bytes]:
        answer = await self._upstream.send("POST", self._account.token_uri, headers=headers, body=body)
        try:
            return answer.status, await answer.read(limit=MOST)
        finally:
            await answer.close()

    def _assertion(self) -> str:
        account, now = self._account, int(time.time())
        claims = {"iss": account.client_email, "scope": SCOPE, "aud": account.token_uri, "iat": now, "exp": now + LIFETIME}
        return jwt.encode(claims, account.private_key, algorithm="RS256", headers={"kid": account.private_key_id})


def google_token(kit: Kit, secret: str) -> Callable[[], Awaitable[list[tuple[str, str]]]]:
    """Raises ValueError when `secret` is not a service account's key file."""
    try:
        account = msgspec.json.decode(secret, type=_Account)
        jwt.encode({}, account.private_key, algorithm="RS256")
    except (msgspec.MsgspecError, ValueError, TypeError, jwt.PyJWTError):
        raise ValueError("Store an API key, or the JSON key file of a service account.") from None
    return ServiceAccount(kit, account).headers

"""Access tokens of a Google service account for the control plane: what the data plane does in `proxy/google.py`, once per
question and through the guarded client.

Source: Google's "Using OAuth 2.0 for Server to Server Applications".
"""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import jwt

from llmgateway.listing import UnusableCredential
from llmgateway.proxy.google import GRANT, SCOPE, TOKEN_URI

LIFETIME = 600
"""Seconds: the token is used at once and kept nowhere."""
KIND = "Store an API key, or the JSON key file of a service account."


class TokenRefused(Exception):
    """The token service does not accept the account. `said` is its own reason, at most 200 characters of one line."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.said = said


def access_token(client: httpx.Client, secret: str) -> str:
    """`secret` is a service account's key file. Raises UnusableCredential, TokenRefused and httpx.HTTPError."""
    account = _account(secret)
    body = {"grant_type": GRANT, "assertion": _assertion(account)}
    answer = client.post(account["token_uri"], data=body, headers={"accept": "application/json"})
    given = _object(answer.text)
    token = given.get("access_token")
    if answer.status_code != 200 or not isinstance(token, str) or not token:
        said = given.get("error_description") or given.get("error") or ""
        raise TokenRefused(answer.status_code, " ".join(str(said).split())[:200])
    return token


def _account(secret: str) -> dict[str, str]:
    stored = {"token_uri": TOKEN_URI, "private_key_id": "", **_object(secret)}
    names = ("client_email", "private_key", "private_key_id", "token_uri")
    if not all(isinstance(stored.get(name), str) for name in names):
        raise UnusableCredential(KIND)
    return {name: stored[name] for name in names}


def _assertion(account: dict[str, str]) -> str:
    now = int(time.time())
    claims = {"iss": account["client_email"], "scope": SCOPE, "aud": account["token_uri"], "iat": now, "exp": now + LIFETIME}
    try:
        return jwt.encode(claims, account["private_key"], algorithm="RS256", headers={"kid": account["private_key_id"]})
    except (ValueError, TypeError, jwt.PyJWTError):
        raise UnusableCredential(f"{KIND} The private key in this one can't be read.") from None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

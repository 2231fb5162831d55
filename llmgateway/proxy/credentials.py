"""What proves the house's account at a provider: a header, a signature of each request, or a token that is fetched.

A sealed credential is opened here, once per snapshot, and never leaves but in a request to its provider.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from llmgateway.proxy.aws import aws_signer
from llmgateway.proxy.google import google_token
from llmgateway.proxy.providers import Facts

if TYPE_CHECKING:
    from dataplane.kit import Kit
    from dataplane.snapshot import ProviderRecord

Pairs = list[tuple[str, str]]
Sign = Callable[[str, str, bytes], Pairs]
Fetch = Callable[[], Awaitable[Pairs]]


class UnusableCredential(ValueError):
    """The stored credential is not of a kind that this provider takes. The message never repeats it."""


class Credential:
    """`fixed` headers go with every request; `sign(method, url, body)` gives those of one request; `fetch` waits for those
    that expire (None: there are none)."""

    __slots__ = ("_sign", "fetch", "fixed")

    def __init__(self, fixed: Pairs | None = None, *, sign: Sign | None = None, fetch: Fetch | None = None) -> None:
        self.fixed = fixed or []
        self._sign = sign
        self.fetch = fetch

    @property
    def signs(self) -> bool:
        return self._sign is not None

    def sign(self, method: str, url: str, body: bytes) -> Pairs:
        return [] if self._sign is None else self._sign(method, url, body)


def credential_of(kit: Kit, provider: ProviderRecord, facts: Facts) -> Credential:
    """Raises SealError and UnusableCredential."""
    if provider.credential is None:
        return Credential()
    secret = kit.sealer.open(provider.credential, bound_to=f"llmgateway.provider:{provider.id}:credential")
    is_object = secret.startswith("{")
    try:
        if facts.auth == "sigv4" and is_object:
            return Credential(sign=aws_signer(secret, provider.base_url))
        if facts.auth == "google" and is_object:
            return Credential(fetch=google_token(kit, secret))
    except ValueError as error:
        raise UnusableCredential(str(error)) from None
    if is_object:
        raise UnusableCredential("The stored credential is a JSON object, which this vendor does not take.")
    match facts.auth:
        case "bearer" | "sigv4":
            return Credential([("authorization", f"Bearer {secret}")])
        case "google":
            return Credential([("x-goog-api-key", secret)])
        case header:
            return Credential([(header, secret)])

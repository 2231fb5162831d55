"""Asks a provider which models it offers: the *Test connection* button, the import page and the health check.

Every request goes through the guarded client of `adminkit.outbound`. Nothing is written, and the credential leaves in
the request's headers only: what a provider sends back is freed of it before it is read, in case it echoes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from adminkit import outbound
from dataplane.addresses import AddressRefused
from dataplane.sealing import SealError
from llmgateway import diagnosis
from llmgateway.credentials import open_credential, open_next
from llmgateway.diagnosis import Diagnosis
from llmgateway.google_account import TokenRefused, access_token
from llmgateway.listing import PAGE, UnusableCredential, is_object, listing
from llmgateway.models import Provider
from llmgateway.offers import NotAModelList, Page, read_page
from llmgateway.proxy.providers import Facts, facts_of

TIMEOUT = 10.0
"""Seconds for a whole answer: somebody is looking at a spinner, or a task has other providers to check."""
MAX_PAGES = 10
MASK = "•••"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the provider answered. `models` are its own names, in its order; `problem` is None when all went well."""

    latency_ms: float | None = None
    models: tuple[str, ...] = ()
    problem: Diagnosis | None = None

    @property
    def ok(self) -> bool:
        return self.problem is None

    @property
    def sentence(self) -> str:
        """The problem as one line, "" when there is none: what a health state keeps."""
        return "" if self.problem is None else f"{self.problem.error} {self.problem.advice}"


def probe(provider: Provider, *, pages: int = 1, page_size: int = PAGE, with_next: bool = False) -> Finding:
    """`pages` above 1 follow the list where a vendor cuts it; `with_next` asks with the credential that waits to be used.
    Never raises for what a provider or its row may hold.

    Needs the provider's row with its credential and reads nothing else from the database, so it may run in any thread.
    """
    try:
        credential = open_next(provider) if with_next else open_credential(provider)
    except SealError:
        problem = Diagnosis("The stored credential can't be opened.", "The house's sealing key has changed: enter the credential again.")
        return Finding(problem=problem)
    facts = facts_of(dialect=provider.dialect, base_url=provider.base_url, vendor=provider.vendor)
    return _asked(provider, _Proof(credential, facts), pages=min(pages, MAX_PAGES), page_size=page_size)


@dataclass(slots=True)
class _Proof:
    """What is sent to show who asks. `token` is fetched where the credential is a service account's key."""

    credential: str | None = field(repr=False)
    facts: Facts
    token: str = field(default="", repr=False)

    def fetch(self, client: httpx.Client) -> None:
        if self.credential is not None and self.facts.auth == "google" and is_object(self.credential):
            self.token = access_token(client, self.credential)

    def scrubbed(self, text: str) -> str:
        """`text` without the credential, nor any value in it when it is a JSON object; also where they are written escaped."""
        for secret in (*_secrets(self.credential), *([self.token] if self.token else ())):
            text = text.replace(json.dumps(secret, ensure_ascii=False)[1:-1], MASK).replace(secret, MASK)
        return text


def _asked(provider: Provider, proof: _Proof, *, pages: int, page_size: int) -> Finding:
    found: dict[str, None] = {}
    following: dict[str, str] = {}
    latency: float | None = None
    host = urlsplit(provider.base_url).netloc
    try:
        with outbound.client(allow_private=provider.allow_private_network, timeout=TIMEOUT, total_seconds=TIMEOUT) as client:
            proof.fetch(client)
            for _ in range(pages):
                page, took = _page(client, provider, proof, page_size, following)
                latency = took if latency is None else latency
                found.update(dict.fromkeys(page.names))
                if not page.following or page.following == following:
                    break
                following = page.following
    except _ProblemFound as found_problem:
        return Finding(latency_ms=found_problem.latency_ms, problem=found_problem.diagnosis)
    except AddressRefused as refused:
        return Finding(problem=diagnosis.forbidden_address(str(refused), allow_private=provider.allow_private_network))
    except UnusableCredential as unusable:
        return Finding(problem=Diagnosis("The stored credential does not fit this vendor.", str(unusable)))
    except TokenRefused as refused:
        return Finding(problem=diagnosis.account_refused(refused.status, proof.scrubbed(refused.said)))
    except httpx.HTTPError as error:
        return Finding(problem=diagnosis.unreachable(_reason(error), host=host))
    return Finding(latency_ms=latency, models=tuple(found))


class _ProblemFound(Exception):
    def __init__(self, diagnosis: Diagnosis, latency_ms: float) -> None:
        super().__init__(diagnosis.error)
        self.diagnosis = diagnosis
        self.latency_ms = latency_ms


def _page(client: httpx.Client, provider: Provider, proof: _Proof, page_size: int, following: Mapping[str, str]) -> tuple[Page, float]:
    request = listing(
        dialect=provider.dialect,
        base_url=provider.base_url,
        credential=proof.credential,
        headers=provider.headers,
        facts=proof.facts,
        token=proof.token,
        page_size=page_size,
        following=following,
    )
    started = time.perf_counter()
    response = client.get(request.url, headers=request.headers)
    took = (time.perf_counter() - started) * 1000
    answer = _parsed(response, proof)
    if response.status_code != 200:
        location = response.headers.get("location", "")
        raise _ProblemFound(
            diagnosis.of_status(
                response.status_code,
                answer=answer,
                keys_page=proof.facts.keys_page,
                has_credential=proof.credential is not None,
                location=proof.scrubbed(location).partition("?")[0][:200],
            ),
            took,
        )
    if answer is None:
        raise _ProblemFound(diagnosis.not_json(response.headers.get("content-type", ""), dialect=provider.dialect), took)
    try:
        return read_page(provider.dialect, answer), took
    except NotAModelList:
        raise _ProblemFound(diagnosis.not_a_list(dialect=provider.dialect), took) from None


def _parsed(response: httpx.Response, proof: _Proof) -> Any:
    """The body as JSON, without the credential; None when it is not JSON."""
    try:
        return json.loads(proof.scrubbed(json.dumps(json.loads(response.content), ensure_ascii=False)))
    except (ValueError, RecursionError):
        return None


def _secrets(credential: str | None) -> list[str]:
    if credential is None:
        return []
    values = json.loads(credential).values() if is_object(credential) else ()
    return [credential, *(value for value in values if isinstance(value, str) and value)]


def _reason(error: httpx.HTTPError) -> str:
    text = str(error).lower()
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    if "certificate" in text or "ssl" in text or "tls" in text:
        return "tls"
    if isinstance(error, httpx.ConnectError):
        return "name" if any(word in text for word in ("name or service", "getaddrinfo", "nodename", "resolve")) else "refused"
    return "lost"

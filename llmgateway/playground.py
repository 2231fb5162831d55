"""The playground: what a person may try there, and what a call of theirs came to. The calls themselves go from the browser
through the gateway like any caller's, with a key of minutes that belongs to the person (docs/adr/0016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Prefetch
from django.http import HttpRequest

from dataplane import money
from identity.queries import usable_by
from llmgateway.models import Deployment, Model
from llmgateway.prices import PriceBook
from llmgateway.proxy.providers import CHAT, facts_of
from usage.models import LedgerEntry

DEFAULT_MAXIMUM = 1024
"""Output tokens of a trial: enough to judge an answer, little enough to cost nothing to speak of."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A model in the lists. `maximum` is the field for the most output tokens, `usage` says whether a stream may be asked for
    its usage: facts of the vendors behind it. `obstacle` is why it can't be tried here, "" when it can."""

    name: str
    summary: str
    price: str
    maximum: str
    usage: bool
    obstacle: str


def choices(user: Any) -> list[Choice]:
    """The models that this person was granted, whoever they are: the gateway makes no exception for admins either."""
    deployments = Deployment.objects.filter(enabled=True, provider__enabled=True).select_related("provider", "model")
    deployments = deployments.defer("provider__credential", "provider__next_credential", "provider__previous_credential")
    models = usable_by(Model.objects.filter(enabled=True), user).order_by("name").distinct()
    found = list(models.prefetch_related(Prefetch("deployments", queryset=deployments.order_by("priority", "id"))))
    book = PriceBook(row for model in found for row in model.deployments.all())
    return [_choice(model, list(model.deployments.all()), book) for model in found]


def _choice(model: Model, rows: Sequence[Deployment], book: PriceBook) -> Choice:
    facts = [facts_of(dialect=row.provider.dialect, base_url=row.provider.base_url, vendor=row.provider.vendor) for row in rows]
    speaks = [fact for fact in facts if CHAT in fact.wires]
    return Choice(
        name=model.name,
        summary=model.description.partition("\n")[0][:160],
        price=(book.tag_of(rows[0]).short if rows else "") or "no price is known",
        maximum=speaks[0].max_tokens if speaks else "max_tokens",
        usage=all(fact.usage_option for fact in speaks),
        obstacle=_obstacle(model, rows, bool(speaks)),
    )


def _obstacle(model: Model, rows: Sequence[Deployment], speaks: bool) -> str:
    if not rows:
        return "has no deployment"
    if all("embed" in row.upstream_model.lower() for row in rows):
        return "makes embeddings"
    if model.native_only and not speaks:
        return "is never translated, and speaks another dialect"
    return ""


def context(request: HttpRequest, user: Any) -> dict[str, Any]:
    """Of templates/llmgateway/playground_body.html."""
    offered = choices(user)
    ready = [choice.name for choice in offered if not choice.obstacle]
    first = _asked(request, "model", ready) or (ready[0] if ready else "")
    return {
        "choices": offered,
        "ready": ready,
        "first": first,
        "second": _asked(request, "with", ready),
        "maximum": DEFAULT_MAXIMUM,
        "gateway": settings.CUSTOMHOUSE.public_url,
    }


def _asked(request: HttpRequest, name: str, ready: list[str]) -> str:
    asked = request.GET.get(name, "")
    return asked if asked in ready else ""


def opened(response: Any) -> Any:
    """The page's answer, with leave for its scripts to call the gateways where they have an address of their own. Kept
    nowhere: it holds a person's choices and what lets them make a key."""
    parts = urlsplit(settings.CUSTOMHOUSE.public_url)
    response.connects_to = f"{parts.scheme}://{parts.netloc}"
    response.headers["Cache-Control"] = "no-store"
    return response


def settled(user: Any, request_id: str) -> dict[str, Any] | None:
    """What the ledger has of this person's own call, None while (or if) there is nothing. `cost` is None where a leg has no
    known price; amounts are USD as text."""
    legs = list(LedgerEntry.objects.filter(request_id=request_id, principal=user.ref, plane="llm").order_by("at", "id"))
    if not legs:
        return None
    last = legs[-1]
    known = [leg.cost for leg in legs if leg.cost is not None]
    return {
        "legs": len(legs),
        "route": "/".join(part for part in (last.provider, last.deployment) if part),
        "outcome": last.outcome,
        "usage": last.meters,
        "cost": money.to_text(sum(known)) if len(known) == len(legs) else None,
        "estimated": any(leg.estimated for leg in legs),
    }

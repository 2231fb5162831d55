"""Models as the catalog at `/` shows them: to whoever may use, owns or may discover them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.db.models import Prefetch, Q
from django.urls import reverse

from adminkit.permissions import visible
from llmgateway.models import Deployment, Model
from llmgateway.prices import PriceBook
from llmgateway.snippets import served_by, snippets
from registry.catalog import Entry
from registry.catalog.entry import Way


def entries(user: Any) -> Iterator[Entry]:
    """Enabled models, with what they cost and which vendors serve them. Addresses and credentials are nobody's business here."""
    if not getattr(user, "is_authenticated", False):
        return
    mine = visible(Model.objects.all(), user).values("pk")
    models = Model.objects.filter(Q(pk__in=mine) | Q(discoverable=True), enabled=True).select_related("owner_team").order_by("name")
    deployments = Deployment.objects.select_related("provider", "model").defer("provider__credential").order_by("priority", "id")
    found = list(models.prefetch_related(Prefetch("deployments", queryset=deployments)))
    book = PriceBook(row for model in found for row in model.deployments.all())
    for model in found:
        yield _entry(model, book)


def _try_at(model: Model, rows: list[Deployment]) -> str:
    talks = served_by(model, rows, base_url="").purpose == "chat"
    return f"{reverse('playground:page')}?{urlencode({'model': model.name})}" if talks else ""


def _ways(model: Model, rows: list[Deployment], base_url: str) -> list[Way]:
    found = snippets(served_by(model, rows, base_url=base_url))
    return [Way(snippet.title, snippet.text, note=snippet.note, group=snippet.group) for snippet in found]


def _entry(model: Model, book: PriceBook) -> Entry:
    rows = [row for row in model.deployments.all() if row.enabled and row.provider.enabled]
    prices = sorted({book.tag_of(row).short or "unpriced" for row in rows})
    facts = [("Price per million tokens", " or ".join(prices))] if prices else []
    facts += [("Served by", ", ".join(dict.fromkeys(row.provider.name for row in rows)))] if rows else []
    facts += [("Longest answer", f"{model.max_output:,} tokens")] if model.max_output else []
    return Entry(
        kind="model",
        name=model.name,
        title=model.name,
        ref=model.resource_ref,
        target=model,
        summary=model.description.partition("\n")[0][:200],
        description=model.description,
        words=" ".join(row.upstream_model for row in rows),
        state="live" if rows else "not served",
        team=model.owner_team.name if model.owner_team else "",
        discoverable=model.discoverable,
        updated_at=model.updated_at,
        facts=tuple(facts),
        ways=partial(_ways, model, rows),
        try_at=_try_at(model, rows),
    )

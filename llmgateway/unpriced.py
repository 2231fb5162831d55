"""Which models would be called without a known price: they are never counted as free, so somebody has to look."""

from __future__ import annotations

from llmgateway.models import Deployment
from llmgateway.prices import UNPRICED, PriceBook

_ROWS = Deployment.objects.filter(enabled=True).select_related("provider", "model").defer("provider__credential")


def sources_by_model() -> dict[int, set[str]]:
    """Sources of price by a model's primary key, over enabled deployments."""
    rows = list(_ROWS.all())
    book = PriceBook(rows)
    found: dict[int, set[str]] = {}
    for row in rows:
        found.setdefault(row.model_id, set()).add(book.tag_of(row).source)
    return found


def unpriced_models() -> list[str]:
    """Names of models that can be called and have a deployment that no price is known for, in order."""
    rows = list(_ROWS.filter(provider__enabled=True, model__enabled=True))
    book = PriceBook(rows)
    return sorted({row.model.name for row in rows if book.tag_of(row).source == UNPRICED})

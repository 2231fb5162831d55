"""Which models would be called without a known price: they are never counted as free, so somebody has to look."""

from __future__ import annotations

from llmgateway.models import Deployment
from llmgateway.prices import UNPRICED, PriceBook


def sources_by_model() -> dict[int, set[str]]:
    """Sources of price by a model's primary key, over enabled deployments."""
    book = PriceBook()
    found: dict[int, set[str]] = {}
    rows = Deployment.objects.filter(enabled=True).values_list("model_id", "model__name", "provider__vendor", "upstream_model")
    for model, name, vendor, upstream in rows:
        found.setdefault(model, set()).add(book.tag(vendor=vendor, upstream_model=upstream, model_name=name).source)
    return found


def unpriced_models() -> list[str]:
    """Names of enabled models with an enabled deployment that no price is known for, in order."""
    book = PriceBook()
    rows = Deployment.objects.filter(enabled=True, provider__enabled=True, model__enabled=True)
    return sorted(
        {
            name
            for name, vendor, upstream in rows.values_list("model__name", "provider__vendor", "upstream_model")
            if book.tag(vendor=vendor, upstream_model=upstream, model_name=name).source == UNPRICED
        }
    )

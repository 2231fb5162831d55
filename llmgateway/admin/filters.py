"""List filters of the LLM gateway's admin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from llmgateway.models import Model
from llmgateway.prices import CATALOGUE, OVERRIDE, UNPRICED
from llmgateway.unpriced import sources_by_model


class PriceFilter(SimpleListFilter):
    """By where the price of a model's deployments comes from; a model with several sources is found under each."""

    title = "price"
    parameter_name = "priced"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(UNPRICED, "Unpriced"), (OVERRIDE, "Price of its own"), (CATALOGUE, "From the catalogue")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        if self.value() is None:
            return queryset
        return queryset.filter(pk__in=list(_having(self.value())))


def _having(source: str | None) -> Iterator[int]:
    return (pk for pk, sources in sources_by_model().items() if source in sources)

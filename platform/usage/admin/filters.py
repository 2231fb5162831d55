"""List filters of a table with millions of rows: each is an exact look-up, most of them along an index, and none asks the
table which values occur in it."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, RangeDateTimeFilter, TextFilter
from unfold.utils import parse_datetime_str

from adminkit.permissions import visible
from identity.models import Team
from usage import queries


class ExactFilter(TextFilter):
    """What is typed in, as it is."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = (self.value() or "").strip()
        return queryset.filter(queries.named(**{self.parameter_name: value})) if value else queryset


def exact(name: str, *, title: str | None = None) -> type[ExactFilter]:
    """A filter by one of the dimensions."""
    return type(f"{name.title()}Filter", (ExactFilter,), {"title": title or name, "parameter_name": name})


class Moments(RangeDateTimeFilter):
    """A range in UTC. A day without a time is the whole day."""

    EDGES = (("from", "gte", "00:00:00"), ("to", "lte", "23:59:59.999999"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for edge, lookup, otherwise in self.EDGES:
            day, clock = (self.used_parameters.get(f"{self.parameter_name}_{edge}_{part}") for part in (0, 1))
            moment = parse_datetime_str(f"{day} {clock or otherwise}") if day else None
            if moment is not None:
                queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": moment.replace(tzinfo=UTC)})
        return queryset


class TeamFilter(DropdownFilter):
    """The calls of a team itself, without those below it."""

    title = "team"
    parameter_name = "team"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        teams = visible(Team.objects.order_by("name"), request.user).values_list("pk", "name")[:1000]
        return [(str(pk), name) for pk, name in teams]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(team_id=int(value)) if value is not None and value.isdigit() and len(value) < 19 else queryset


class OneOf(DropdownFilter):
    """One of a few known words."""

    words: tuple[tuple[str, str], ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple[tuple[str, str], ...]:
        return self.words

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(**{self.parameter_name: value}) if value in dict(self.words) else queryset


class PlaneFilter(OneOf):
    title = "gateway"
    parameter_name = "plane"
    words = (("llm", "Models"), ("mcp", "MCP servers"), ("a2a", "Agents"))


class OutcomeFilter(OneOf):
    title = "outcome"
    parameter_name = "outcome"
    words = (
        ("ok", "Ok"),
        ("error", "Error: the upstream refused"),
        ("aborted", "Aborted: the caller left"),
        ("unknown", "Unknown: a worker died"),
    )


class ResolvedFilter(SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("resolved", "Resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(resolved_at__isnull=value == "open") if value in ("open", "resolved") else queryset

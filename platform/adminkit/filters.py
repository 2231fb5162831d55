"""List filters that offer only what their user may see, and one over moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin import RelatedFieldListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.timezone import make_aware
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.utils import parse_datetime_str

from adminkit.permissions import owner_team_field, visible

if TYPE_CHECKING:
    _Base = RelatedFieldListFilter
else:
    _Base = object


def visible_related(model: type[Model], request: HttpRequest, model_admin: Any, queryset: QuerySet[Any] | None = None) -> QuerySet[Any]:
    """Objects of `model` that may be offered in a choice: what that model's own admin lists, else what the rules let
    through. Models without an admin and without an owner team (groups, content types) are offered whole."""
    offered = model._default_manager.all() if queryset is None else queryset
    admin = model_admin.admin_site._registry.get(model)
    if admin is not None:
        return offered.filter(pk__in=admin.get_queryset(request).order_by().values("pk"))
    if owner_team_field(model) is not None:
        return visible(offered, request.user)
    return offered


class VisibleChoices(_Base):
    """Mixed into filters over a relation."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        ordering = self.field_admin_ordering(field, request, model_admin)
        offered = visible_related(field.remote_field.model, request, model_admin)
        choices: list[tuple[Any, Any]] = field.get_choices(
            include_blank=False, ordering=ordering, limit_choices_to={"pk__in": offered.order_by().values("pk")}
        )
        return choices


class VisibleRelatedFilter(VisibleChoices, RelatedFieldListFilter):
    """Django's filter over a relation, restricted."""


def restricted(filter_class: type[Any]) -> type[Any]:
    """`filter_class` if it offers no relation, else the same filter restricted to what the user may see."""
    if not (isinstance(filter_class, type) and issubclass(filter_class, RelatedFieldListFilter)):
        return filter_class
    if filter_class.field_choices is not RelatedFieldListFilter.field_choices:
        return filter_class  # it offers nothing of its own accord (autocomplete), or only what visible objects refer to
    return type(filter_class.__name__, (VisibleChoices, filter_class), {})


class MomentFilter(RangeDateTimeFilter):
    """Unfold's range of moments, read as UTC (the house's time zone), with a date alone meaning its whole day."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Raises IncorrectLookupParameters, which the list answers by forgetting its filters, for what is no date."""
        for bound, lookup, whole_day in (("from", "gte", "00:00:00"), ("to", "lte", "23:59:59.999999")):
            day = self.used_parameters.get(f"{self.parameter_name}_{bound}_0")
            if not day:
                continue
            at = self.used_parameters.get(f"{self.parameter_name}_{bound}_1") or whole_day
            moment = parse_datetime_str(f"{day} {at}")
            if moment is None:
                raise IncorrectLookupParameters(f"{day} {at} is no date and time")
            queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": make_aware(moment)})
        return queryset

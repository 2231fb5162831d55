"""The history page of an object, read from the audit trail: it knows every change, wherever it was made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse

from adminkit.pages import page
from audit.models import AuditEvent

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin as _Base
else:
    _Base = object

PER_PAGE = 50


def _row(event: AuditEvent) -> list[str]:
    changed = ", ".join(f"{field}: {short(old)} → {short(new)}" for field, (old, new) in event.changes.items())
    return [f"{event.at:%Y-%m-%d %H:%M:%S} UTC", event.actor_name, event.action, changed or "-"]


def short(value: Any, most: int = 80) -> str:
    """A value of an audit row in one cell."""
    if value is None or value == "":
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[: most - 1]}…"


class AuditHistory(_Base):
    """Mixin over ModelAdmin. Django's own LogEntry is not written: it would be a second, weaker trail."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        return None

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> TemplateResponse:
        obj = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        concrete = self.model._meta.concrete_model or self.model
        events = AuditEvent.objects.filter(target_type=concrete._meta.label_lower, target_id=str(obj.pk)).order_by("-id")
        paginator = self.get_paginator(request, events, PER_PAGE)
        shown = paginator.get_page(request.GET.get(PAGE_VAR, 1))
        table = {"headers": ["When", "Who", "What", "Changed"], "rows": [_row(event) for event in shown]}
        context = {"object": obj, "page": shown, "page_var": PAGE_VAR, "table": table, **(extra_context or {})}
        return page(self, request, "adminkit/history.html", title=f"History: {obj}", **context)

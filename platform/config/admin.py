"""What was published and what fails to be, to look at. Nobody changes it by hand: it follows from everything else."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from config.models import FailedSection, PublishedSection


class ReadOnly(ModelAdmin):
    """For superusers: sections hold everybody's keys' names and grants."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(FailedSection)
class FailedSectionAdmin(ReadOnly):
    list_display = ("name", "error", "attempts", "since", "retry_at")
    search_fields = ("name", "error")


@admin.register(PublishedSection)
class PublishedSectionAdmin(ReadOnly):
    list_display = ("name", "version", "published_at")
    search_fields = ("name",)
    fields = ("name", "version", "schema", "digest", "published_at")

"""The admin of providers: health at a glance, a write-only credential, a connection test, and the import of models."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from adminkit.admin import ActionAdmin
from llmgateway import actions
from llmgateway.admin import connection, import_page, rotation
from llmgateway.admin.provider_form import ProviderForm
from llmgateway.choices import Health
from llmgateway.guards import acting, check_reach, may_add_providers
from llmgateway.models import Deployment, Provider
from llmgateway.prices import PriceBook, PriceTag
from llmgateway.proxy.providers import facts_of
from llmgateway.vendor_words import Portrait, portrait
from llmgateway.vendors import LOCAL_VENDORS, VENDORS

SEALED = ("credential", "next_credential", "previous_credential")


@admin.register(Provider)
class ProviderAdmin(ActionAdmin):
    form = ProviderForm
    list_display = ("header", "health_badge", "address", "credential_state", "model_count", "enabled")
    list_filter = (("health", ChoicesDropdownFilter), ("dialect", ChoicesDropdownFilter), "enabled")
    search_fields = ("name", "base_url", "vendor")
    ordering = ("name",)
    readonly_fields = ("credential_state",)
    export_fields = ("name", "dialect", "base_url", "vendor", "enabled", "health", "checked_at", "latency_ms", "last_error")
    actions = ("enable", "disable")
    actions_detail = ("import_models",)
    warn_unsaved_form = True
    change_form_outer_before_template = "llmgateway/provider_panel.html"
    change_form_outer_after_template = "llmgateway/provider_models.html"

    class Media:
        css = {"all": ("llmgateway/admin.css",)}

    # -- reads

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        rows: QuerySet[Provider] = super().get_queryset(request).defer(*SEALED)
        return rows.annotate(models=Count("deployments__model", distinct=True))

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> Any:
        credential = ("api_key", "remove_credential") if obj is not None and obj.has_credential else ("api_key",)
        return (
            (None, {"fields": (("name", "dialect"), "base_url", ("vendor", "enabled"))}),
            ("Credential", {"fields": credential}),
            (
                "Network",
                {
                    "classes": ("collapse",),
                    "fields": ("allow_private_network", ("connect_timeout", "read_timeout", "total_timeout"), "headers"),
                },
            ),
        )

    def get_urls(self) -> list[URLPattern]:
        own = [
            *rotation.urls(self),  # first: `<path:…>/test/` would take the steps for objects as well
            path("<path:object_id>/test/", self.admin_site.admin_view(self.test_view), name="llmgateway_provider_test"),
            path("<path:object_id>/import/", self.admin_site.admin_view(self.import_view), name="llmgateway_provider_import"),
        ]
        return [*own, *super().get_urls()]

    @display(description="Provider", ordering="name", header=True)
    def header(self, obj: Provider) -> list[Any]:
        label = next((row.label for row in VENDORS if row.slug == obj.vendor), obj.get_dialect_display())
        return [obj.name, label, obj.name[:2].upper()]

    @display(description="Health", ordering="health")
    def health_badge(self, obj: Provider) -> SafeString:
        return health_badge(obj)

    @display(description="Address", ordering="base_url")
    def address(self, obj: Provider) -> SafeString:
        lock = "" if obj.base_url.startswith("https://") else " · plain http"
        return format_html('<span class="ch-mono">{}</span><span class="ch-faint">{}</span>', obj.base_url.partition("://")[2], lock)

    @display(description="Credential", ordering="credential_set_at", label={"sealed": "success", "none": "info", "old": "warning"})
    def credential_state(self, obj: Provider) -> tuple[str, str]:
        found = rotation.age(obj.credential_set_at)
        if found is None:
            return "none", "none"
        return ("old", f"{found.days} days old") if found.old else ("sealed", "sealed")

    @display(description="Models", ordering="models")
    def model_count(self, obj: Provider) -> SafeString:
        url = f"{reverse('admin:llmgateway_model_changelist')}?deployments__provider__id__exact={obj.pk}"
        return format_html('<a class="ch-link" href="{}">{}</a>', url, getattr(obj, "models", 0))

    def render_change_form(self, request: HttpRequest, context: Any, add: bool = False, change: bool = False, **kwargs: Any) -> Any:
        chosen = add and request.GET.get("base_url")
        context["vendors"] = VENDORS
        context["presets"] = () if change or chosen else (*VENDORS, *LOCAL_VENDORS)
        if chosen:
            context["portrait"] = _chosen_portrait(request)
        if (obj := kwargs.get("obj")) is not None:
            facts = facts_of(dialect=obj.dialect, base_url=obj.base_url, vendor=obj.vendor)
            context.update(served=_served(obj), portrait=portrait(facts), **rotation.context(obj))
        return super().render_change_form(request, context, add=add, change=change, **kwargs)

    # -- writes

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and may_add_providers(request.user)

    def perform_create(self, request: HttpRequest, obj: Provider, form: Any) -> Provider:
        fields = {name: value for name, value in form.cleaned_data.items() if name in actions.providers.FIELDS}
        return actions.create_provider(actor=acting(request), api_key=form.cleaned_data.get("api_key") or None, **fields)

    def perform_update(self, request: HttpRequest, obj: Provider, form: Any, before: dict[str, Any]) -> None:
        fields = {name: form.cleaned_data[name] for name in form.changed_data if name in actions.providers.FIELDS}
        check_reach(request.user, Provider.objects.get(pk=obj.pk), fields)
        if form.cleaned_data.get("remove_credential"):
            actions.set_credential(actor=acting(request), provider=obj, api_key=None)
        actions.update_provider(actor=acting(request), provider=obj, api_key=form.cleaned_data.get("api_key") or None, **fields)

    def perform_delete(self, request: HttpRequest, obj: Provider) -> None:
        actions.delete_provider(actor=acting(request), provider=obj)

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        for provider in queryset:
            actions.enable_provider(actor=acting(request), provider=provider)

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        for provider in queryset:
            actions.disable_provider(actor=acting(request), provider=provider)

    # -- pages beside the form

    @action(description="Import models", icon="download", permissions=["change"], variant=ActionVariant.PRIMARY)
    def import_models(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(reverse("admin:llmgateway_provider_import", args=(object_id,)))

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return connection.test_view(self, request, object_id)

    def import_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return import_page.import_view(self, request, object_id)


def health_badge(provider: Provider) -> SafeString:
    """A coloured dot, the state, and how long ago that was found; the last error is its title."""
    ago = str(naturaltime(provider.checked_at)) if provider.checked_at else ""
    latency = f"{provider.latency_ms} ms" if provider.latency_ms is not None and provider.health == Health.HEALTHY else ""
    return format_html(
        '<span class="ch-health ch-health-{}" title="{}"><i></i>{}</span><span class="ch-faint">{}</span>',
        provider.health,
        provider.last_error,
        provider.get_health_display(),
        " · ".join(part for part in (latency, ago) if part),
    )


def _chosen_portrait(request: HttpRequest) -> Portrait | None:
    """Of the vendor that the form was filled from: a slug that is no vendor's is somebody's own address."""
    slug = request.GET.get("name", "")
    return next((portrait(row) for row in (*VENDORS, *LOCAL_VENDORS) if row.slug == slug), None)


def _served(provider: Provider) -> list[tuple[Deployment, PriceTag]]:
    rows = list(provider.deployments.select_related("model", "provider").defer("provider__credential").order_by("model__name"))
    book = PriceBook(rows)
    return [(row, book.tag_of(row)) for row in rows]

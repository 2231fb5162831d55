"""The admin's look and its side bar, for django-unfold. Badges tell what waits without opening a page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse, reverse_lazy
from django.utils.functional import lazy


def _address(name: str) -> str:
    """Empty for a page that does not exist: its entry is not shown then."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _item(title: str, icon: str, name: str, **more: Any) -> dict[str, Any]:
    """An entry for the list page of a model, shown to those who may see the model at all."""
    app, _, model = name.rpartition("_")
    return {
        "title": title,
        "icon": icon,
        "link": lazy(_address, str)(f"admin:{name}_changelist"),
        "permission": lambda request: may_see(request, app, model),
        **more,
    }


def may_see(request: HttpRequest, app: str, model: str) -> bool:
    from django.apps import apps
    from django.contrib import admin

    found = admin.site._registry.get(apps.get_model(app, model))
    return found is not None and found.has_view_permission(request)


def on_models(request: HttpRequest) -> bool:
    """The playground has an entry of its own, though it lies below the models."""
    return request.path.startswith(_address("admin:llmgateway_model_changelist")) and "/playground/" not in request.path


def waiting_reviews(request: HttpRequest) -> int | None:
    """How many reviews this person could decide; no badge when there are none."""
    from identity.queries import visible_to
    from registry.choices import Decision
    from registry.models import Review

    return visible_to(Review.objects.filter(decision=Decision.PENDING), request.user).count() or None


def open_alarms(request: HttpRequest) -> int | None:
    from usage.models import UnpricedModel

    return UnpricedModel.objects.filter(resolved_at=None).count() or None


def failed_sections(request: HttpRequest) -> int | None:
    """How many sections of the snapshot do not compile just now."""
    from config.models import FailedSection

    return FailedSection.objects.count() or None


NAVIGATION = [
    {
        "items": [
            {"title": "Overview", "icon": "space_dashboard", "link": reverse_lazy("admin:index")},
            _item("Reviews", "fact_check", "registry_review", badge="config.theme.waiting_reviews", badge_variant="warning"),
        ],
    },
    {
        "title": "Models",
        "separator": True,
        "items": [
            _item("Models", "neurology", "llmgateway_model", active=on_models),
            _item("Providers", "cloud", "llmgateway_provider"),
            _item("Playground", "forum", "llmgateway_model", link=lazy(_address, str)("admin:llmgateway_model_playground")),
        ],
    },
    {
        "title": "Tools, agents and skills",
        "separator": True,
        "items": [
            _item("MCP servers", "dns", "registry_server"),
            _item("Tools", "construction", "registry_tool"),
            _item("Toolsets", "handyman", "registry_toolset"),
            _item("Agents", "smart_toy", "registry_agent"),
            _item("Skills", "school", "registry_skill"),
            _item("Collections", "folder_special", "registry_collection"),
        ],
    },
    {
        "title": "Who",
        "separator": True,
        "items": [
            _item("Teams", "account_tree", "identity_team"),
            _item("People", "person", "identity_user"),
            _item("Service accounts", "robot_2", "identity_serviceaccount"),
            _item("Agents' identities", "badge", "identity_agentidentity"),
            _item("Keys", "key", "identity_apikey"),
            _item("Roles", "shield_person", "identity_role"),
        ],
    },
    {
        "title": "Money",
        "separator": True,
        "items": [
            _item("Cost report", "bar_chart", "usage_rollup", link=lazy(_address, str)("admin:usage_cost_report")),
            _item("Ledger", "receipt_long", "usage_ledgerentry"),
            _item("Budgets", "savings", "usage_budget"),
            _item("Prices", "sell", "usage_price"),
            _item("Models without a price", "report", "usage_unpricedmodel", badge="config.theme.open_alarms", badge_variant="danger"),
        ],
    },
    {
        "title": "House",
        "separator": True,
        "items": [
            _item("Audit trail", "history", "audit_auditevent"),
            _item("Schedule", "schedule", "django_celery_beat_periodictask"),
            _item("Not published", "sync_problem", "config_failedsection", badge="config.theme.failed_sections", badge_variant="danger"),
            {"title": "API", "icon": "api", "link": "/api/docs/"},
        ],
    },
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Customhouse",
    "SITE_HEADER": "Customhouse",
    "SITE_SUBHEADER": "Models, tools, agents, skills",
    "SITE_SYMBOL": "warehouse",
    "SITE_URL": "/",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("config/favicon.svg")}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "adminkit.dashboard.callback",
    "COMMAND": {"search_models": True, "show_history": False},
    "SIDEBAR": {"show_search": True, "command_search": True, "show_all_applications": False, "navigation": NAVIGATION},
}

"""The admin of models: routes, prices and their source, fallbacks, who may use them, and how to call them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from adminkit.admin import ActionAdmin
from adminkit.filters import visible_related
from adminkit.pages import page
from llmgateway import actions, playground
from llmgateway.admin.filters import PriceFilter
from llmgateway.admin.model_forms import PRICE_PREFIX, DeploymentFormSet, FallbackFormSet, ModelForm, price_fields
from llmgateway.admin.panels import model_panels, routes, tags_of
from llmgateway.guards import acting, check_deployments, check_fallbacks, check_owner
from llmgateway.models import Deployment, Fallback, Model
from llmgateway.prices import PriceBook
from llmgateway.traffic import months_of

MAIN_METERS = tuple(f"{PRICE_PREFIX}{meter}" for meter in ("input", "output", "cached_read"))


class ModelInline(TabularInline):
    """Rows that belong to a model: whoever may change the model may change them."""

    extra = 0
    hide_title = True

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._model_admin().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._model_admin().has_add_permission(request) if obj is None else self._model_admin().has_change_permission(request, obj)

    has_add_permission = has_delete_permission = has_change_permission

    def _model_admin(self) -> ActionAdmin:
        found: ActionAdmin = self.admin_site.get_model_admin(Model)
        return found

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Choices are what the user may see, and what the model is connected to already."""
        related = db_field.remote_field.model
        offered = visible_related(related, request, self._model_admin()).order_by().values("pk")
        match = request.resolver_match
        present = self.model.objects.filter(model_id=match.kwargs.get("object_id") if match else None).values(db_field.attname)
        kwargs["queryset"] = related.objects.filter(Q(pk__in=offered) | Q(pk__in=present)).order_by("name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class DeploymentInline(ModelInline):
    model = Deployment
    formset = DeploymentFormSet
    fields = ("provider", "upstream_model", "priority", "weight", "share", "enabled")
    readonly_fields = ("share",)
    ordering = ("priority", "id")

    def get_extra(self, request: HttpRequest, obj: Model | None = None, **kwargs: Any) -> int:
        """A new model starts with one line to fill in."""
        return 1 if obj is None else 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        rows: QuerySet[Deployment] = super().get_queryset(request).select_related("provider", "model")
        return rows

    @display(description="Share")
    def share(self, obj: Deployment) -> SafeString:
        """Of the calls that this priority takes; worked out from the rows as they are stored."""
        return render_to_string("llmgateway/share.html", {"route": routes(obj.model).get(obj.pk) if obj.pk else None})


class FallbackInline(ModelInline):
    model = Fallback
    formset = FallbackFormSet
    fk_name = "model"
    fields = ("target", "position")
    ordering_field = "position"
    hide_ordering_field = True
    ordering = ("position", "id")
    autocomplete_fields = ("target",)
    verbose_name_plural = "fallbacks, tried in this order when every deployment failed"


@admin.register(Model)
class ModelAdmin(ActionAdmin):
    form = type("ModelForm", (ModelForm,), price_fields())
    list_display = ("header", "route_bar", "price", "month", "owner_team", "enabled")
    list_filter = (
        PriceFilter,
        ("strategy", ChoicesDropdownFilter),
        ("deployments__provider", RelatedDropdownFilter),
        "enabled",
        "discoverable",
    )
    search_fields = ("name", "description", "deployments__upstream_model")
    list_select_related = ("owner_team",)
    autocomplete_fields = ("owner_team",)
    inlines = (DeploymentInline, FallbackInline)
    export_fields = (
        *("name", "description", "strategy", "max_output", "cache_ttl", "first_token_timeout", "idle_timeout", "native_only"),
        *("owner_team__name", "discoverable", "enabled", "created_at"),
    )
    actions = ("enable", "disable")
    warn_unsaved_form = True
    change_form_outer_before_template = "llmgateway/model_banner.html"
    change_form_outer_after_template = "llmgateway/model_panels.html"

    class Media:
        css = {"all": ("llmgateway/admin.css",)}
        js = ("llmgateway/copy.js",)

    # -- reads

    def get_urls(self) -> list[URLPattern]:
        own = [path("playground/", self.admin_site.admin_view(self.playground_view), name="llmgateway_model_playground")]
        return [*own, *super().get_urls()]

    def playground_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = playground.context(request, acting(request))
        return playground.opened(page(self, request, "llmgateway/playground.html", title="Playground", **shown))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        deployments = Deployment.objects.select_related("provider", "model").defer("provider__credential").order_by("priority", "id")
        return super().get_queryset(request).prefetch_related(Prefetch("deployments", queryset=deployments))

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Prices and traffic of the rows of one page are fetched together, not row by row."""
        changelist = super().get_changelist_instance(request)
        book = PriceBook(deployment for row in changelist.result_list for deployment in row.deployments.all())
        months = months_of([row.name for row in changelist.result_list], request.user)
        for row in changelist.result_list:
            row.tags = tags_of(row.deployments.all(), book)
            row.month = months.get(row.name)
        return changelist

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        own = {"fields": (("name", "enabled"), "description", ("strategy", "max_output"), ("owner_team", "discoverable"))}
        answers = {
            "classes": ("collapse",),
            "fields": (("cache_ttl", "native_only"), ("first_token_timeout", "idle_timeout")),
        }
        if not request.user.has_perm("usage.change_price"):
            return ((None, own), ("Answers and streams", answers))
        rest = [name for name in price_fields() if name not in MAIN_METERS]
        price = {
            "classes": ("collapse",),
            "description": "USD per million tokens; requests, images and seconds are USD each. All empty: the catalogue's price.",
            "fields": (MAIN_METERS, *(tuple(rest[at : at + 3]) for at in range(0, len(rest), 3))),
        }
        return ((None, own), ("Answers and streams", answers), ("Price of its own", price))

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("name",) if obj is not None else ()

    @display(description="Model", ordering="name")
    def header(self, obj: Model) -> SafeString:
        summary = obj.description.partition("\n")[0]
        return format_html('<span class="ch-name">{}<span class="ch-faint" title="{}">{}</span></span>', obj.name, summary, summary)

    @display(description="Routes")
    def route_bar(self, obj: Model) -> SafeString:
        return render_to_string("llmgateway/route_bar.html", {"routes": list(routes(obj).values()), "strategy": obj.get_strategy_display()})

    @display(description="Price")
    def price(self, obj: Any) -> SafeString:
        same = len({(tag.short, tag.source) for _, tag in obj.tags}) == 1
        return render_to_string("llmgateway/price_cell.html", {"tags": obj.tags[:1] if same else obj.tags})

    @display(description="Last 30 days")
    def month(self, obj: Any) -> SafeString:
        return render_to_string("llmgateway/spark.html", {"month": obj.month})

    def render_change_form(self, request: HttpRequest, context: Any, add: bool = False, change: bool = False, **kwargs: Any) -> Any:
        if (obj := kwargs.get("obj")) is not None:
            context.update(model_panels(request.user, obj, base_url=settings.CUSTOMHOUSE.public_url))
        return super().render_change_form(request, context, add=add, change=change, **kwargs)

    # -- writes

    def perform_create(self, request: HttpRequest, obj: Model, form: Any) -> Model:
        fields = {name: value for name, value in form.cleaned_data.items() if not name.startswith(PRICE_PREFIX)}
        check_owner(acting(request), fields.get("owner_team"))
        return actions.create_model(actor=acting(request), price=form.price(), **fields)

    def perform_update(self, request: HttpRequest, obj: Model, form: Any, before: dict[str, Any]) -> None:
        changed = {name: form.cleaned_data[name] for name in form.changed_data if not name.startswith(PRICE_PREFIX)}
        if "owner_team" in changed:
            check_owner(acting(request), changed["owner_team"])
        actions.update_model(actor=acting(request), model=obj, **changed)
        if form.price_changed():
            actions.set_model_price(actor=acting(request), model=obj, price=form.price())

    def perform_delete(self, request: HttpRequest, obj: Model) -> None:
        actions.delete_model(actor=acting(request), model=obj)

    def perform_inlines(self, request: HttpRequest, obj: Model, formset: Any) -> None:
        if isinstance(formset, DeploymentFormSet):
            stated = formset.stated()
            check_deployments(acting(request), obj, stated)
            actions.set_deployments(actor=acting(request), model=obj, deployments=stated)
        elif isinstance(formset, FallbackFormSet):
            names = formset.stated()
            check_fallbacks(acting(request), obj, names)
            actions.set_fallbacks(actor=acting(request), model=obj, fallbacks=names)

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Model]) -> None:
        for model in queryset:
            actions.enable_model(actor=acting(request), model=model)

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Model]) -> None:
        for model in queryset:
            actions.disable_model(actor=acting(request), model=model)

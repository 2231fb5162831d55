"""The page that lists what a provider offers and registers what was picked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from llmgateway import actions
from llmgateway.actions.imports import Imported
from llmgateway.guards import acting, import_terms
from llmgateway.models import Deployment, Model, Provider
from llmgateway.prices import PriceBook, PriceTag
from llmgateway.probe import MAX_PAGES, probe

if TYPE_CHECKING:
    from llmgateway.admin.providers import ProviderAdmin


class ImportForm(forms.Form):
    """How picked models are named. The picks themselves are the check boxes `pick`."""

    name_prefix = forms.CharField(
        label="Prefix",
        required=False,
        max_length=60,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "none", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Put before every name, e.g. azure/ makes azure/gpt-4o.",
    )
    join = forms.BooleanField(
        label="Join models that exist",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="A model of that name gets this provider as a further deployment. Otherwise it is left alone.",
    )


@dataclass(frozen=True, slots=True)
class Offer:
    """A line of the page. `models` are the registered ones that have this deployment already."""

    name: str
    models: tuple[Model, ...]
    tag: PriceTag


def import_view(admin: ProviderAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    provider = admin.get_object(request, object_id)
    if not admin.has_change_permission(request, provider) or not request.user.has_perm("llmgateway.add_model"):
        raise PermissionDenied
    form = ImportForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        picked = request.POST.getlist("pick")
        if not picked:
            messages.warning(request, "Nothing was picked.")
        elif _registered(request, provider, picked, form):
            return redirect(f"{reverse('admin:llmgateway_model_changelist')}?deployments__provider__id__exact={provider.pk}")
    finding = probe(provider, pages=MAX_PAGES)
    context = {
        **admin.admin_site.each_context(request),
        "title": f"Import models from {provider.name}",
        "opts": admin.opts,
        "original": provider,
        "finding": finding,
        "offers": _offers(provider, finding.models),
        "form": form,
        "back": admin.url_of(provider.pk),
    }
    request.current_app = admin.admin_site.name
    return TemplateResponse(request, "llmgateway/import_models.html", context)


def _registered(request: HttpRequest, provider: Provider, picked: list[str], form: ImportForm) -> bool:
    """Whether the picks were registered; if they were refused as a whole, the form says why."""
    user, chosen = acting(request), form.cleaned_data
    try:
        terms = import_terms(user, picked, prefix=chosen["name_prefix"], join=chosen["join"])
        _tell(request, actions.import_models(actor=user, provider=provider, names=picked, **terms))
    except ValidationError as refused:
        for message in refused.messages:
            messages.error(request, message)
        return False
    return True


def _offers(provider: Provider, names: tuple[str, ...]) -> list[Offer]:
    registered: dict[str, tuple[Model, ...]] = {}
    for row in Deployment.objects.filter(provider=provider).select_related("model").order_by("model__name"):
        registered[row.upstream_model] = (*registered.get(row.upstream_model, ()), row.model)
    book = PriceBook()
    book.prepare((provider.vendor, name, "") for name in names)
    return [
        Offer(name, registered.get(name, ()), book.tag(vendor=provider.vendor, upstream_model=name, model_name=""))
        for name in sorted(names, key=str.lower)
    ]


def _tell(request: HttpRequest, done: Imported) -> None:
    if done.created:
        messages.success(
            request, f"Registered {len(done.created)} model{'s' * (len(done.created) != 1)}. Nobody may use what is not granted."
        )
    if done.joined:
        messages.success(request, f"Added a deployment to {', '.join(done.joined)}.")
    if done.present:
        messages.info(request, f"Registered before: {', '.join(done.present)}.")
    for offered, reason in list(done.refused.items())[:5]:
        messages.warning(request, f"{offered}: {reason}")
    if len(done.refused) > 5:
        messages.warning(request, f"{len(done.refused) - 5} more could not be registered.")

"""The *Test connection* button of a provider: a POST that asks the provider, notes its health, and shows what came back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from llmgateway import actions
from llmgateway.guards import acting
from llmgateway.probe import probe

if TYPE_CHECKING:
    from llmgateway.admin.providers import ProviderAdmin

SHOWN = 12
"""Names of offered models that fit the panel; the import page shows them all."""


def test_view(admin: ProviderAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Answers htmx with the panel alone, and a browser without scripts with the provider's page and a message."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    provider = admin.get_object(request, object_id)
    if provider is None:
        raise Http404
    if not admin.has_change_permission(request, provider):
        raise PermissionDenied
    # Asked outside of any transaction: a slow provider must not hold a lock on its row.
    finding = probe(provider)
    provider = actions.record_health(actor=acting(request), provider=provider, error=finding.sentence, latency_ms=finding.latency_ms)
    if request.headers.get("HX-Request"):
        context = {"original": provider, "finding": finding, "shown": finding.models[:SHOWN], "more": max(0, len(finding.models) - SHOWN)}
        return TemplateResponse(request, "llmgateway/connection.html", context)
    if finding.problem is None:
        messages.success(request, f"{provider.name} answered in {finding.latency_ms:.0f} ms and offers {len(finding.models)} models.")
    else:
        messages.error(request, finding.sentence)
    return redirect(admin.url_of(provider.pk))

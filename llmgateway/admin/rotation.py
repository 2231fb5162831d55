"""The *Credential* panel of a provider: what is in use and since when, what comes next, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone

from llmgateway.guards import acting
from llmgateway.models import Provider
from llmgateway.rotating import rotated

if TYPE_CHECKING:
    from llmgateway.admin.providers import ProviderAdmin

OLD_AFTER = timedelta(days=90)
"""A credential that is older is shown with a warning."""


@dataclass(frozen=True, slots=True)
class Age:
    """How long ago a credential was set."""

    set_at: datetime
    days: int
    old: bool

    @property
    def words(self) -> str:
        if self.days == 0:
            return "set today"
        return f"set {self.days} day{'s' * (self.days != 1)} ago"


def age(set_at: datetime | None) -> Age | None:
    if set_at is None:
        return None
    passed = timezone.now() - set_at
    return Age(set_at, max(passed.days, 0), passed > OLD_AFTER)


def context(provider: Provider) -> dict[str, Any]:
    """Of templates/llmgateway/provider_credential.html."""
    return {
        "in_use": age(provider.credential_set_at),
        "next_one": age(provider.next_set_at),
        "next_tested_at": provider.next_tested_at,
        "previous": age(provider.previous_set_at),
    }


def urls(admin: ProviderAdmin) -> list[URLPattern]:
    return [
        path(
            f"<path:object_id>/credential/{step}/",
            admin.admin_site.admin_view(_view(admin, step, done)),
            name=f"llmgateway_provider_credential_{step}",
        )
        for step, done in STEPS.items()
    ]


def _view(admin: ProviderAdmin, step: str, done: str) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, object_id: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        provider = admin.get_object(request, object_id)
        if provider is None:
            raise Http404
        if not admin.has_change_permission(request, provider):
            raise PermissionDenied
        try:
            rotated(acting(request), provider, step, request.POST.get("next_key", ""))
            messages.success(request, done)
        except ValidationError as refused:
            messages.error(request, " ".join(refused.messages))
        return redirect(f"{admin.url_of(provider.pk)}#credential")

    return view


_ACCEPTED = "The next credential is accepted. It is used as soon as you switch to it."
STEPS = {
    "next": _ACCEPTED,
    "test": _ACCEPTED,
    "switch": "Switched. New calls go out with the next credential; the one before is kept for the way back.",
    "roll_back": "Rolled back. New calls go out with the credential from before.",
    "drop_next": "The next credential is gone; the one in use stays.",
    "drop_previous": "The previous credential is gone: revoke it at the vendor as well.",
}
"""By step: what is said when it is done."""

"""The playground's page in the portal, and the three things that its scripts ask for: a key, its end, a call's cost."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from identity import actions as identity
from identity.models import APIKey
from llmgateway import playground
from llmgateway.guards import acting
from registry.portal.access import signed_in

View = Callable[..., HttpResponse]
PLAYGROUND = APIKey.Purpose.PLAYGROUND


def asked_by_a_person(method: str) -> Callable[[View], View]:
    """For scripts: an answer in JSON, never a login page, and only to somebody's session (keys are no session)."""

    def decorate(view: View) -> View:
        @wraps(view)
        @never_cache
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return JsonResponse({"error": "You are not signed in any more: load the page again."}, status=401)
            if request.method != method:
                return HttpResponseNotAllowed([method])
            return view(request, *args, **kwargs)

        return inner

    return decorate


@signed_in
def page(request: HttpRequest) -> HttpResponse:
    context = playground.context(request, acting(request))
    shown: HttpResponse = playground.opened(render(request, "portal/playground.html", {"tab": "playground", **context}))
    return shown


@asked_by_a_person("POST")
def new_key(request: HttpRequest) -> HttpResponse:
    """The one answer that ever holds this key's text. The one that the person's page had before ends with it."""
    try:
        key, text = identity.issue_page_key(actor=acting(request), purpose=PLAYGROUND)
    except (ValidationError, PermissionDenied) as refused:
        said = " ".join(refused.messages) if isinstance(refused, ValidationError) else str(refused)
        return JsonResponse({"error": said}, status=403)
    seconds = int(identity.page_keys.LIFETIME.total_seconds())
    answer = JsonResponse({"key": text, "prefix": key.prefix, "seconds": seconds}, status=201)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@asked_by_a_person("POST")
def end_key(request: HttpRequest) -> HttpResponse:
    """Sent when the page is left. Another page of the same person may have a newer key, so the one to end is named."""
    if prefix := request.POST.get("prefix", ""):
        identity.end_page_keys(actor=acting(request), purpose=PLAYGROUND, prefix=prefix)
    return HttpResponse(status=204)


@asked_by_a_person("GET")
def call(request: HttpRequest, request_id: str) -> HttpResponse:
    """What a call of this person came to; 404 while it is not in the ledger yet, and for anybody else's for ever."""
    found = playground.settled(acting(request), request_id)
    return JsonResponse(found) if found else JsonResponse({"error": "It is not in the ledger yet."}, status=404)

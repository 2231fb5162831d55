"""A person's own API keys: make one (shown once), rotate, revoke."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect

from identity import actions as identity
from identity.models import APIKey
from registry.portal.access import page, signed_in
from registry.portal.forms import KeyForm, RotateForm

LISTED = 100


@signed_in
def keys(request: HttpRequest) -> HttpResponse:
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user: Any = request.user
        try:
            name, expires_at = form.cleaned_data["name"], form.expires_at()
            key, text = identity.issue_key(actor=user, owner=user, name=name, expires_at=expires_at, use_cache=form.use_cache())
        except (ValidationError, PermissionDenied) as error:
            form.add_error(None, " ".join(error.messages) if isinstance(error, ValidationError) else str(error))
        else:
            return _once(request, key, text)
    return _list(request, form, status=400 if form.is_bound else 200)


def _list(request: HttpRequest, form: KeyForm, *, status: int = 200) -> HttpResponse:
    user: Any = request.user
    found = list(APIKey.objects.filter(owner=user, purpose="")[:LISTED])
    rows = sorted(found, key=lambda key: key.state not in {"active", "rotated"})
    return page(request, "keys.html", tab="keys", status=status, form=form, rotate=RotateForm(), rows=rows)


def _once(request: HttpRequest, key: APIKey, text: str) -> HttpResponse:
    """The only answer that ever holds the key's text; no cache keeps it, and a reload does not show it again."""
    response = page(request, "key_once.html", tab="keys", key=key, text=text, base_url=settings.CUSTOMHOUSE.public_url)
    response.headers["Cache-Control"] = "no-store"
    return response


def _own(request: HttpRequest, pk: int) -> APIKey:
    user: Any = request.user
    key = APIKey.objects.filter(pk=pk, owner=user).first()
    if key is None:
        raise Http404
    return key


@signed_in
def rotate(request: HttpRequest, pk: int) -> HttpResponse:
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    key = _own(request, pk)
    form = RotateForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose how long the old key shall still work.")
        return redirect("portal:keys")
    user: Any = request.user
    try:
        new, text = identity.rotate_key(actor=user, key=key, overlap=timedelta(hours=int(form.cleaned_data["overlap"])))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("portal:keys")
    return _once(request, new, text)


@signed_in
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    key = _own(request, pk)
    user: Any = request.user
    identity.revoke_key(actor=user, key=key, reason="revoked by its owner")
    messages.success(request, f"{key.name} is revoked. Calls with it are refused from now on.")
    return redirect("portal:keys")

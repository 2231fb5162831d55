"""Buttons that act: how an action of the admin is run, and what becomes of a refusal.

Unfold offers an action as a link, that is as a GET. A GET that changed something could be triggered by any page the
user visits. So during a GET the audit trail takes nothing (and nothing is written without it): what would have written
is undone, and a page asks for a POST instead.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from adminkit.forms import REFUSALS, messages_of
from adminkit.pages import page
from audit import trail

SAFE = ("GET", "HEAD", "OPTIONS")


def tell(request: HttpRequest, error: Exception) -> None:
    """Show a refusal as error messages on the next page."""
    for text in messages_of(error):
        messages.error(request, text)


def guarded(admin: Any, method: Callable[..., Any], *, title: str, allowed: Callable[..., bool]) -> Callable[..., Any]:
    """`method` of an unfold action (called with the request and perhaps `object_id`), made safe.

    An object that the user can't see is a 404, a button that is not theirs a 403 (`allowed`), a refusal by an action
    becomes a message and leads back, a GET never writes.
    """

    @wraps(method)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        object_id = kwargs.get("object_id")
        if object_id is not None:
            admin.get_object(request, object_id)
        if not allowed(request, object_id):
            raise PermissionDenied
        back = admin.url_of(object_id)
        try:
            response = _run(request, method, *args, **kwargs)
        except trail.WriteWhileReading:
            return confirmation(admin, request, title=title, back=back)
        except REFUSALS as error:
            tell(request, error)
            response = None
        return response if isinstance(response, HttpResponse) else HttpResponseRedirect(back)

    return run


def _run(request: HttpRequest, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """No transaction here: actions bring their own, and a method may wait for another machine before it calls one."""
    if request.method not in SAFE:
        return method(request, *args, **kwargs)
    with trail.reading():
        return method(request, *args, **kwargs)


def confirmation(admin: Any, request: HttpRequest, *, title: str, back: str) -> TemplateResponse:
    """A page whose one button posts to the address it was asked from."""
    return page(admin, request, "adminkit/confirm.html", title=title, back=back)

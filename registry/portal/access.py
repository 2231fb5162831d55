"""Who gets into the portal, and what every page of it shows around its content."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache

View = Callable[..., Any]


def signed_in(view: View) -> View:
    """People only: keys are for programs, and a page is not for programs."""

    @wraps(view)
    @never_cache
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), reverse("portal:login"))
        try:
            return view(request, *args, **kwargs)
        except Http404:
            return page(request, "404.html", tab="", status=404)

    return inner


def page(request: HttpRequest, template: str, *, tab: str, status: int = 200, **context: Any) -> HttpResponse:
    return render(request, f"portal/{template}", {"tab": tab, **context}, status=status)

"""Pages of the admin that are neither a list nor a change form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.template.response import TemplateResponse


def page(model_admin: Any, request: HttpRequest, template: str, *, title: str, **context: Any) -> TemplateResponse:
    """`template` inside the admin's frame. With `original`, an object, in the context, the frame leads back to it."""
    request.current_app = model_admin.admin_site.name
    whole = {**model_admin.admin_site.each_context(request), "title": title, "opts": model_admin.opts, **context}
    return TemplateResponse(request, template, whole)


def form_page(
    model_admin: Any, request: HttpRequest, *, form: forms.Form, title: str, back: str, submit: str, original: Any = None
) -> TemplateResponse:
    """One form, posted to where it was asked from. `original` is the object it is about."""
    context = {"form": form, "media": model_admin.media + form.media, "back": back, "button": submit, "original": original}
    return page(model_admin, request, "adminkit/form.html", title=title, **context)

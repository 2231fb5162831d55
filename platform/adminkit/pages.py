"""Pages of the admin that are neither a list nor a change form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.template.response import TemplateResponse


def page(model_admin: Any, request: HttpRequest, template: str, *, title: str, **context: Any) -> TemplateResponse:
    """`template` inside the admin's frame."""
    request.current_app = model_admin.admin_site.name
    whole = {**model_admin.admin_site.each_context(request), "title": title, "opts": model_admin.opts, **context}
    return TemplateResponse(request, template, whole)


def form_page(model_admin: Any, request: HttpRequest, *, form: forms.Form, title: str, back: str, submit: str) -> TemplateResponse:
    """One form, posted to where it was asked from."""
    media = model_admin.media + form.media
    return page(model_admin, request, "adminkit/form.html", title=title, form=form, media=media, back=back, submit=submit)

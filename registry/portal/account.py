"""Signing in and out."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import reverse


class SignIn(LoginView):
    template_name = "portal/login.html"
    redirect_authenticated_user = True

    def get_default_redirect_url(self) -> str:
        return reverse("portal:home")

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        form.fields["username"].widget.attrs.update(autofocus=True, autocapitalize="none", spellcheck="false")
        return form


class SignOut(LogoutView):
    def get_default_redirect_url(self) -> str:
        return reverse("portal:login")

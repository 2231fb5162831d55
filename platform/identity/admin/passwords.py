"""The page on which people change their own password in the admin, through the action like everything else."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from unfold.forms import AdminOwnPasswordChangeForm

from identity import actions


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    def save(self, commit: bool = True) -> Any:
        actions.set_password(actor=self.user, user=self.user, password=self.cleaned_data["new_password1"])
        return self.user


def password_change(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
    """In place of the site's own page, whose form saves by itself and leaves no trace."""
    request.current_app = admin.site.name
    view = PasswordChangeView.as_view(
        form_class=OwnPasswordForm,
        success_url=reverse(f"{admin.site.name}:password_change_done"),
        template_name=admin.site.password_change_template or "registration/password_change_form.html",
        extra_context={**admin.site.each_context(request), **(extra_context or {})},
    )
    return view(request)


admin.site.password_change = password_change  # type: ignore[method-assign,assignment]

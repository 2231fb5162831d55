"""Registering what is called over HTTP: it is asked about itself before anything is written, and outside of the
transaction that Django's admin opens around a form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminPasswordWidget

if TYPE_CHECKING:
    _Form = forms.ModelForm[Any]
    from adminkit.admin import ActionAdmin as _Base
else:  # Django's form classes take no type arguments when they run.
    _Form = forms.ModelForm
    _Base = object


class CredentialForm(_Form):
    """The form that registers. The credential goes in and never comes out."""

    secret = forms.CharField(
        label="Credential",
        required=False,
        widget=UnfoldAdminPasswordWidget(render_value=True, attrs={"autocomplete": "new-password", "spellcheck": "false"}),
        help_text="Sealed on arrival and never shown again. For the authorization header a bare token becomes “Bearer …”.",
    )


class RegisteringAdmin(_Base):
    """Mixin over ItemAdmin. `look` asks, `register` writes with what was found."""

    look: Any
    register: Any

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None) -> Any:
        if request.method == "POST" and object_id is None and self.has_add_permission(request):
            self._ask(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def _ask(self, request: HttpRequest) -> None:
        form = self.get_form(request, None, change=False)(request.POST, request.FILES, instance=self.model())
        if not form.is_valid():
            return
        try:
            request._registry_found = type(self).look(actor=request.user, **self._values(form))  # type: ignore[attr-defined]
        except (ValidationError, PermissionDenied) as error:
            request._registry_found = error  # type: ignore[attr-defined]

    def _values(self, form: Any) -> dict[str, Any]:
        values = dict(form.cleaned_data)
        values["credential"] = values.pop("secret", "") or None
        return {name: value for name, value in values.items() if value is not None}

    def perform_create(self, request: HttpRequest, obj: Any, form: Any) -> Any:
        found = getattr(request, "_registry_found", None)
        if isinstance(found, Exception):
            raise found
        version = type(self).register(actor=request.user, found=found, **self._values(form))
        request._registry_version = version  # type: ignore[attr-defined]
        return version.item

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """To the draft: what was discovered is looked at before it is submitted."""
        version: Any = getattr(request, "_registry_version", None)
        if version is None:
            return super().response_add(request, obj, post_url_continue)
        name = f"{self.admin_site.name}:registry_{self.opts.model_name}_version"
        return HttpResponseRedirect(reverse(name, args=(obj.pk, version.pk)))

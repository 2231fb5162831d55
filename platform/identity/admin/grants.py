"""The page "Grants" of a team or an account: what it may use, from where, and what one may add or take back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

from adminkit.pages import page
from adminkit.permissions import may
from identity import actions
from identity.grantable import choices_for, effective_grants, object_for
from identity.models import Team, User

if TYPE_CHECKING:
    from adminkit.admin import ActionAdmin as _Base
else:
    _Base = object


class GrantForm(forms.Form):
    resources = forms.MultipleChoiceField(label="Let it use", widget=UnfoldAdminSelect2MultipleWidget)

    def __init__(self, *args: Any, actor: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["resources"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = choices_for(actor)


class GrantsPage(_Base):
    """Mixin over ActionAdmin for Team, User and its proxies. Add "grants" to `actions_detail`."""

    @action(description="Grants", icon="key_vertical", url_path="grants")
    def grants(self, request: HttpRequest, object_id: str) -> HttpResponse:
        subject = self.get_object(request, object_id)
        actor: Any = request.user
        form = GrantForm(request.POST if "give" in request.POST else None, actor=actor)
        if request.method == "POST":
            if "withdraw" in request.POST:
                return self._withdraw(request, subject, request.POST["withdraw"])
            if form.is_valid():
                return self._give(request, subject, form.cleaned_data["resources"])
        return self._page(request, subject, form)

    def _give(self, request: HttpRequest, subject: Team | User, choices: list[str]) -> HttpResponse:
        actor: Any = request.user
        with transaction.atomic():
            given = [actions.grant(actor=actor, to=subject, obj=object_for(choice, actor)) for choice in choices]
        messages.success(request, f"Granted {sum(given)} of {len(given)}; the rest was granted before.")
        return HttpResponseRedirect(request.path)

    def _withdraw(self, request: HttpRequest, subject: Team | User, ref: str) -> HttpResponse:
        """Looked up among this subject's own grants: nothing else can be named here."""
        actor: Any = request.user
        held = {obj.resource_ref: obj for obj, holder in effective_grants(subject) if holder == subject}
        if ref not in held:
            raise ValidationError("This was not granted here.")
        actions.withdraw(actor=actor, to=subject, obj=held[ref])
        messages.success(request, f"{ref} was withdrawn.")
        return HttpResponseRedirect(request.path)

    def _page(self, request: HttpRequest, subject: Team | User, form: GrantForm) -> HttpResponse:
        actor: Any = request.user
        rows = [
            {
                "ref": obj.resource_ref,
                "kind": obj._meta.verbose_name,
                "label": str(obj),
                "source": None if holder == subject else holder,
                "source_url": None if holder == subject else reverse(f"{self.admin_site.name}:identity_team_change", args=(holder.pk,)),
                "own": holder == subject and may(actor, "change", obj),
            }
            for obj, holder in effective_grants(subject)
        ]
        return page(
            self,
            request,
            "identity/grants.html",
            title=f"Grants of {subject}",
            rows=rows,
            form=form,
            media=self.media + form.media,
            back=self.url_of(subject.pk),
            original=subject,
        )

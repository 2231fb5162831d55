"""The form of a provider. The credential goes in and never comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget, UnfoldBooleanSwitchWidget

from llmgateway.models import Provider

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Provider]
else:  # Django's form classes take no type arguments when they run.
    _ModelForm = forms.ModelForm


class ProviderForm(_ModelForm):
    """`api_key` empty keeps what is stored; `remove_credential` takes it away."""

    api_key = forms.CharField(
        label="Credential",
        required=False,
        strip=True,
        widget=UnfoldAdminPasswordWidget(render_value=False, attrs={"autocomplete": "new-password", "spellcheck": "false"}),
    )
    remove_credential = forms.BooleanField(
        label="Remove the stored credential", required=False, widget=UnfoldBooleanSwitchWidget, help_text="Calls then go out without one."
    )

    class Meta:
        model = Provider
        fields = (
            "name",
            "dialect",
            "base_url",
            "vendor",
            "enabled",
            "allow_private_network",
            "connect_timeout",
            "read_timeout",
            "total_timeout",
            "headers",
        )
        widgets = {"headers": UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false", "class": "font-mono"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.has_credential
        if "vendor" in self.fields:
            self.fields["vendor"].widget.attrs["list"] = "vendors"
        if "api_key" in self.fields:
            self.fields["api_key"].widget.attrs["placeholder"] = "•••••••• stored, sealed" if stored else "Paste the vendor's API key"
            self.fields["api_key"].help_text = (
                "Leave empty to keep the stored one. A new one replaces it at once; to test it first, set it as the next one above."
                if stored
                else "Sealed on arrival and never shown again. Leave empty for an engine that needs none."
            )
        if not stored:
            self.fields.pop("remove_credential", None)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if cleaned and cleaned.get("api_key") and cleaned.get("remove_credential"):
            self.add_error("remove_credential", "Either enter a new credential or remove the stored one.")
        return cleaned

"""The forms of a model: its own fields, its price of its own, its deployments and its fallbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from llmgateway.actions.models import FIELDS as MODEL_FIELDS
from llmgateway.models import Deployment, Fallback, Model
from llmgateway.prices import METERS, override_of

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Model]
    _DeploymentFormSet = BaseInlineFormSet[Deployment, Model, forms.ModelForm[Deployment]]
    _FallbackFormSet = BaseInlineFormSet[Fallback, Model, forms.ModelForm[Fallback]]
else:  # Django's form classes take no type arguments when they run.
    _ModelForm, _DeploymentFormSet, _FallbackFormSet = forms.ModelForm, BaseInlineFormSet, BaseInlineFormSet

PRICE_PREFIX = "price_"


def price_fields() -> dict[str, forms.DecimalField]:
    """One optional decimal field per meter: USD per million tokens, or per one where the meter counts units."""
    return {
        f"{PRICE_PREFIX}{meter}": forms.DecimalField(
            label=label,
            required=False,
            min_value=0,
            max_digits=18,
            decimal_places=9,
            widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        )
        for meter, label in METERS.items()
    }


class ModelForm(_ModelForm):
    """A model's own columns, and one optional field per meter for a price that goes before the catalogue's."""

    class Meta:
        model = Model
        fields = MODEL_FIELDS
        widgets = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 2})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = override_of(self.instance.name) if self.instance.pk else None
        for meter, amount in (stored or {}).items():
            if field := self.fields.get(f"{PRICE_PREFIX}{meter}"):
                field.initial = amount

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        price = self.price()
        if price:
            for meter in ("input", "output"):
                if meter not in price:
                    self.add_error(f"{PRICE_PREFIX}{meter}", "A price of its own needs input and output; write 0 for what is free.")
        return cleaned

    def price(self) -> dict[str, str] | None:
        """The override as the action takes it, None when every field is empty."""
        given = {
            name.removeprefix(PRICE_PREFIX): format(value.normalize(), "f")
            for name, value in self.cleaned_data.items()
            if name.startswith(PRICE_PREFIX) and value is not None
        }
        return given or None

    def price_changed(self) -> bool:
        return any(name.startswith(PRICE_PREFIX) for name in self.changed_data)


class DeploymentFormSet(_DeploymentFormSet):
    """States the whole list to the action, in the admin's own words for a row."""

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        """Every row knows the model it is shown with, so that its share is told without asking the database again."""
        form = super()._construct_form(i, **kwargs)  # type: ignore[misc]
        if self.instance.pk:
            form.instance.model = self.instance
        return form

    def stated(self) -> list[dict[str, Any]]:
        return [
            {
                "provider": form.cleaned_data["provider"],
                "model": form.cleaned_data["upstream_model"],
                "weight": form.cleaned_data["weight"],
                "priority": form.cleaned_data["priority"],
                "enabled": form.cleaned_data["enabled"],
            }
            for form in _kept(self)
        ]


class FallbackFormSet(_FallbackFormSet):
    """Fallbacks in the order of their positions; rows of the same position stay as they were typed."""

    def clean(self) -> None:
        super().clean()
        if any(form.cleaned_data["target"] == self.instance for form in _kept(self) if form.cleaned_data.get("target")):
            raise ValidationError("A model can't fall back to itself.")

    def stated(self) -> list[str]:
        rows = [form.cleaned_data for form in _kept(self)]
        return [row["target"].name for row in sorted(rows, key=lambda row: row.get("position") or 0)]


def _kept(formset: Any) -> list[Any]:
    """Forms that hold a row which is to stay: filled in, valid, and not ticked for deletion."""
    deleted = set(formset.deleted_forms)
    return [form for form in formset.forms if form not in deleted and (form.instance.pk or form.has_changed()) and form.is_valid()]

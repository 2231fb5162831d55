"""The form an ActionAdmin shows: it carries what an action refused, and leaves alone what its user can't see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError

if TYPE_CHECKING:
    _Base = forms.ModelForm[Any]
else:
    _Base = object

REFUSALS = (ValidationError, PermissionDenied)
DENIED = "You may not do this."


def messages_of(error: Exception) -> list[str]:
    """What to tell a person about a refusal by an action."""
    if isinstance(error, ValidationError):
        return list(error.messages)
    return [str(error) or DENIED]


class GuardedForm(_Base):
    """Mixed into every form of an ActionAdmin. `refusal` is set for the pass that shows what an action refused."""

    refusal: Exception | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, forms.ModelChoiceField) and not isinstance(field, forms.ModelMultipleChoiceField):
                self._keep_unseen(name, field)

    def _keep_unseen(self, name: str, field: forms.ModelChoiceField[Any]) -> None:
        """A reference to something that this user can't see stays as it is, instead of turning into "nothing chosen"."""
        current = getattr(self.instance, name, None) if self.instance.pk is not None else None
        if current is None or field.queryset is None or field.queryset.filter(pk=current.pk).exists():
            return
        field.queryset = type(current)._base_manager.filter(pk=current.pk)
        field.disabled = True

    def full_clean(self) -> None:
        super().full_clean()
        if self.refusal is not None and self.is_bound:
            self._show(self.refusal)

    def _show(self, error: Exception) -> None:
        if not isinstance(error, ValidationError):
            self.add_error(None, ValidationError(messages_of(error)))
        elif not hasattr(error, "error_dict"):
            self.add_error(None, error)
        else:
            for field, found in error.error_dict.items():
                known = field in self.fields and field != NON_FIELD_ERRORS
                self.add_error(field if known else None, ValidationError([text for item in found for text in item.messages]))

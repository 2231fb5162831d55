"""What people type into the portal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from identity.models import Team
from identity.queries import team_path

LIFETIMES = (("90", "90 days"), ("30", "30 days"), ("7", "7 days"), ("365", "One year"), ("", "Until revoked"))
OVERLAPS = (("24", "1 day"), ("1", "1 hour"), ("0", "Not at all"), ("168", "7 days"))
ANSWERS = (("", "Always new"), ("cached", "Cached ones will do"))


class KeyForm(forms.Form):
    name = forms.CharField(
        max_length=64, label="What is it for?", widget=forms.TextInput(attrs={"placeholder": "laptop", "autocomplete": "off"})
    )
    lifetime = forms.ChoiceField(choices=LIFETIMES, required=False, initial="90", label="Works for")
    answers = forms.ChoiceField(choices=ANSWERS, required=False, label="Answers of models")

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["lifetime"]
        return timezone.now() + timedelta(days=int(days)) if days else None

    def use_cache(self) -> bool:
        return bool(self.cleaned_data["answers"])


class RotateForm(forms.Form):
    overlap = forms.ChoiceField(choices=OVERLAPS, label="The old key still works for")


class AccessForm(forms.Form):
    """`team` empty asks for the person alone."""

    team = forms.ChoiceField(required=False, label="Who needs it?")
    purpose = forms.CharField(
        max_length=2000, label="What for?", widget=forms.Textarea(attrs={"rows": 3, "placeholder": "Whoever decides goes by this."})
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.teams = {str(team.pk): team for team in team_path(user.team)}
        choices = [("", "Only I"), *((pk, f"Everybody in {team}") for pk, team in self.teams.items())]
        field = self.fields["team"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def chosen_team(self) -> Team | None:
        return self.teams.get(self.cleaned_data["team"])

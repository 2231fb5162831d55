"""What the versions of servers, agents and skills have in common: a state, who moved it, and content that stays put."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models

from registry.choices import SERVED, VersionState
from registry.errors import StateError


class Version(models.Model):
    """One state of an item's content. Once approved its content never changes: `save` refuses."""

    CONTENT: ClassVar[tuple[str, ...]] = ("version", "digest")
    """Fields that are fixed by approval; kinds add theirs."""

    version = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, editable=False, help_text="SHA-256 of the canonical content.")
    state = models.CharField(max_length=16, choices=VersionState.choices, default=VersionState.DRAFT, editable=False)
    found_by_refresh = models.BooleanField(default=False, editable=False, help_text="The upstream changed by itself; nobody proposed this.")
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    submitted_at = models.DateTimeField(null=True, editable=False)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    reviewed_at = models.DateTimeField(null=True, editable=False)
    reason = models.TextField(blank=True, editable=False, validators=[MaxLengthValidator(2000)])
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Raises StateError when approved content would change."""
        stored: dict[str, Any] = getattr(self, "_stored", {})
        if stored.get("state") in SERVED:
            changed = [name for name in self.CONTENT if name in stored and stored[name] != self.__dict__.get(name)]
            if changed:
                raise StateError(f"an approved version never changes ({', '.join(changed)}); make a new version")
        super().save(*args, **kwargs)
        self._remember()

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Self:
        row = super().from_db(*args, **kwargs)
        row._remember()
        return row

    def _remember(self) -> None:
        self._stored = {name: self.__dict__[name] for name in ("state", *self.CONTENT) if name in self.__dict__}

    @property
    def item(self) -> Any:
        """What it is a version of."""
        raise NotImplementedError

    @property
    def is_served(self) -> bool:
        """Whether its state lets it be what callers get."""
        return self.state in SERVED

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from usage.exact import ExactDecimalField

SUBJECTS = ("team", "user", "key")


class BudgetManager(models.Manager[Any]):
    """Tells of each budget the team it belongs to, which is what decides who may see it."""

    def get_queryset(self) -> models.QuerySet[Any]:
        rows: models.QuerySet[Any] = super().get_queryset()
        owned: models.QuerySet[Any] = rows.annotate(owner_team_pk=Coalesce("team_id", "user__team_id", "key__owner__team_id"))
        return owned


class Budget(models.Model):
    """Money that a team (with all teams below it), an account or a key may spend in a calendar window (UTC).

    A hard budget refuses when it is used up, a soft one only tells."""

    class Period(models.TextChoices):
        DAY = "day", "Day"
        WEEK = "week", "Week"
        MONTH = "month", "Month"
        TOTAL = "total", "Once and for all"

    class Mode(models.TextChoices):
        HARD = "hard", "Hard: refuse"
        SOFT = "soft", "Soft: tell"

    owner_team_field: ClassVar[str] = "owner_team_pk"

    team = models.ForeignKey("identity.Team", null=True, blank=True, on_delete=models.PROTECT, related_name="budgets")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="budgets")
    key = models.ForeignKey("identity.APIKey", null=True, blank=True, on_delete=models.PROTECT, related_name="budgets")
    limit = ExactDecimalField("limit in USD", max_digits=18, decimal_places=9, validators=[MinValueValidator(Decimal(0))])
    period = models.CharField(max_length=8, choices=Period, default=Period.MONTH)
    mode = models.CharField(max_length=8, choices=Mode, default=Mode.HARD)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[models.Manager[Any]] = BudgetManager()

    class Meta:
        ordering = ("pk",)
        base_manager_name = "objects"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(team__isnull=False, user__isnull=True, key__isnull=True)
                | models.Q(team__isnull=True, user__isnull=False, key__isnull=True)
                | models.Q(team__isnull=True, user__isnull=True, key__isnull=False),
                name="usage_budget_has_one_subject",
                violation_error_message="A budget is of exactly one team, account or key.",
            ),
            models.CheckConstraint(condition=models.Q(period__in=("day", "week", "month", "total")), name="usage_budget_period"),
            models.CheckConstraint(condition=models.Q(mode__in=("hard", "soft")), name="usage_budget_mode"),
            *(
                models.UniqueConstraint(
                    fields=(subject, "period"),
                    condition=models.Q(**{f"{subject}__isnull": False}),
                    name=f"usage_one_budget_per_{subject}_and_period",
                    violation_error_message="There is a budget for this period already: change that one.",
                )
                for subject in SUBJECTS
            ),
        )

    def __str__(self) -> str:
        return f"{self.subject_name}, {self.get_period_display().lower()}"

    @property
    def subject(self) -> str:
        """The data plane's name of whom it is for: `team:3`, `user:12` or `key:77`."""
        return next(f"{name}:{pk}" for name in SUBJECTS if (pk := getattr(self, f"{name}_id")) is not None)

    @property
    def holder(self) -> Any:
        """The team, account or key."""
        return self.team or self.user or self.key

    @property
    def subject_name(self) -> str:
        return str(self.holder)

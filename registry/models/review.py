"""Reviews: somebody asked, somebody else decides. One inbox for versions of every kind and for requests of access."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.validators import MaxLengthValidator
from django.db import models

from registry.choices import Decision, Risk


class Subject(models.TextChoices):
    SERVER = "server", "MCP server"
    AGENT = "agent", "Agent"
    SKILL = "skill", "Skill"
    ACCESS = "access", "Access request"


class Review(models.Model):
    """`subject` is the proposed version or the access request. `difference` is what a reviewer is shown, as it was when
    asked (registry.review.difference); `findings` what deserves a second look, `risk` the worst of them.

    `digest` is the content that was looked at: approval of anything else is refused."""

    owner_team_field: ClassVar[str] = "owner_team"

    kind = models.CharField(max_length=16, choices=Subject.choices)
    subject_type = models.ForeignKey(ContentType, on_delete=models.PROTECT, related_name="+")
    subject_id = models.PositiveBigIntegerField()
    subject = GenericForeignKey("subject_type", "subject_id")
    title = models.CharField(max_length=400)
    item_ref = models.CharField(max_length=300)
    owner_team = models.ForeignKey("identity.Team", null=True, on_delete=models.SET_NULL, related_name="+")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_at = models.DateTimeField(auto_now_add=True)
    note = models.TextField(blank=True, validators=[MaxLengthValidator(2000)])
    digest = models.CharField(max_length=64, blank=True)
    difference = models.JSONField(default=list)
    findings = models.JSONField(default=list)
    risk = models.PositiveSmallIntegerField(choices=[(0, "None"), *Risk.choices], default=0)
    decision = models.CharField(max_length=16, choices=Decision.choices, default=Decision.PENDING)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True, validators=[MaxLengthValidator(2000)])

    class Meta:
        ordering = ["-id"]
        permissions = [("decide_review", "Can approve and reject")]
        constraints = [
            models.UniqueConstraint(
                fields=["subject_type", "subject_id"], condition=models.Q(decision="pending"), name="registry_review_one_pending"
            ),
        ]
        indexes = [
            models.Index(fields=["decision", "-id"], name="registry_review_inbox"),
            models.Index(fields=["item_ref", "-id"], name="registry_review_item"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_pending(self) -> bool:
        return self.decision == Decision.PENDING

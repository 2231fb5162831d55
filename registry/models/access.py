"""Requests of access: a person found something in the catalog and asks to use it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.validators import MaxLengthValidator
from django.db import models

from registry.choices import Decision


class AccessRequest(models.Model):
    """`target` is what is asked for, any model with a `use_<kind>` permission. The grant goes to `team` when it is set,
    else to `requester`."""

    requester = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    team = models.ForeignKey("identity.Team", null=True, on_delete=models.CASCADE, related_name="+")
    target_type = models.ForeignKey(ContentType, on_delete=models.CASCADE, related_name="+")
    target_id = models.PositiveBigIntegerField()
    target = GenericForeignKey("target_type", "target_id")
    item_ref = models.CharField(max_length=300)
    purpose = models.TextField(validators=[MaxLengthValidator(2000)])
    state = models.CharField(max_length=16, choices=Decision.choices, default=Decision.PENDING)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["requester", "target_type", "target_id"], condition=models.Q(state="pending"), name="registry_access_one_pending"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.requester} asks for {self.item_ref}"

    @property
    def resource_ref(self) -> str:
        """What is asked for, also when it is gone by now."""
        return self.item_ref

"""What was published: the compiled sections of the snapshot, and how far the audit trail has been followed."""

from __future__ import annotations

from django.db import models


class PublishedSection(models.Model):
    """One section as the data planes have it. An empty body says that the section is gone and has to stay known as gone.

    `digest` is the SHA-256 of the body; `version` is that of the publication which last changed the section.
    """

    name = models.CharField(max_length=200, primary_key=True)
    version = models.BigIntegerField(db_index=True)
    schema = models.IntegerField()
    body = models.BinaryField()
    digest = models.CharField(max_length=64)
    published_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return f"{self.name} @ {self.version}"


class FailedSection(models.Model):
    """A section that does not compile just now. Its last good version stays live; it is tried again."""

    name = models.CharField(max_length=200, primary_key=True)
    error = models.TextField()
    attempts = models.PositiveIntegerField(default=1)
    since = models.DateTimeField()
    retry_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Publication(models.Model):
    """One row, whose lock serializes publication: up to which audit event, and the version that came of it."""

    SINGLETON = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=SINGLETON)
    audit_id = models.BigIntegerField(default=0)
    version = models.BigIntegerField(default=0)
    schema = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"version {self.version}"

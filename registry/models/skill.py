"""Skills, their versions, and the content-addressed files they are made of."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxLengthValidator
from django.db import models

from registry.models.item import Item
from registry.models.version import Version
from registry.names import SLUG


class Skill(Item):
    """Instructions for agents with their files, in the Agent Skills format. `name` is the format's own."""

    name = models.CharField(max_length=64, unique=True, validators=[SLUG])
    description = models.TextField(blank=True, validators=[MaxLengthValidator(1024)], help_text="From the live version's SKILL.md.")
    live_version = models.ForeignKey("registry.SkillVersion", null=True, editable=False, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["name"]
        permissions = [("use_skill", "Can install the skill")]

    def __str__(self) -> str:
        return self.name

    @property
    def slug(self) -> str:
        return self.name

    @property
    def resource_ref(self) -> str:
        return f"skill:{self.name}"

    @property
    def label(self) -> str:
        return self.name


class SkillVersion(Version):
    """`digest` is the SHA-256 of the canonical tar (registry.skills.tarball). `size` is the sum of the files' bytes.
    `problems` are what breaks the format: a version that has any can't be submitted."""

    owner_team_field: ClassVar[str] = "skill__owner_team"
    item_field: ClassVar[str] = "skill"
    CONTENT: ClassVar[tuple[str, ...]] = ("version", "digest", "frontmatter", "body", "size", "file_count")

    skill = models.ForeignKey(Skill, on_delete=models.CASCADE, related_name="versions")
    frontmatter = models.JSONField(default=dict, editable=False)
    body = models.TextField(blank=True, editable=False)
    size = models.PositiveBigIntegerField(default=0, editable=False)
    file_count = models.PositiveIntegerField(default=0, editable=False)
    problems = models.JSONField(default=list, editable=False)
    source = models.CharField(max_length=500, blank=True, editable=False, help_text="Where it was imported from.")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["skill", "version"], name="registry_skill_version_once")]

    def __str__(self) -> str:
        return f"{self.skill.name} {self.version}"

    @property
    def item(self) -> Skill:
        return self.skill


class Blob(models.Model):
    """Bytes by their SHA-256. In the database and not on disk: every process of a larger house reads the same."""

    digest = models.CharField(max_length=64, primary_key=True)
    size = models.PositiveBigIntegerField()
    content = models.BinaryField()

    class Meta:
        verbose_name = "stored file"

    def __str__(self) -> str:
        return self.digest[:12]


class SkillFile(models.Model):
    """One line of a version's manifest. `path` is relative, with `/`, in the spelling of the archive."""

    version = models.ForeignKey(SkillVersion, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=500)
    executable = models.BooleanField(default=False)
    size = models.PositiveBigIntegerField()
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="files")

    class Meta:
        ordering = ["path"]
        constraints = [models.UniqueConstraint(fields=["version", "path"], name="registry_file_once_per_version")]

    def __str__(self) -> str:
        return self.path


class Collection(models.Model):
    """Skills published together."""

    owner_team_field: ClassVar[str] = "owner_team"

    slug = models.CharField(max_length=64, unique=True, validators=[SLUG])
    title = models.CharField(max_length=100, blank=True)
    description = models.TextField(blank=True, validators=[MaxLengthValidator(4000)])
    owner_team = models.ForeignKey("identity.Team", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    skills = models.ManyToManyField(Skill, related_name="collections", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug

    @property
    def resource_ref(self) -> str:
        return f"collection:{self.slug}"

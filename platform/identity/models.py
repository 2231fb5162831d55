"""Who calls and on whose behalf: teams as a tree, users of three kinds, and their API keys."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, Group, GroupManager, UserManager
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

team_name = RegexValidator(r"\A[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\Z", "Use lower-case letters, digits, dots, dashes and underscores.")


class Limited(models.Model):
    """Fairness limits per calendar minute, and calls at once. Empty means that dimension is not limited."""

    rpm = models.PositiveBigIntegerField("requests per minute", null=True, blank=True, validators=[MinValueValidator(1)])
    tpm = models.PositiveBigIntegerField("tokens per minute", null=True, blank=True, validators=[MinValueValidator(1)])
    concurrency = models.PositiveIntegerField("calls at once", null=True, blank=True, validators=[MinValueValidator(1)])

    class Meta:
        abstract = True


class Team(Limited):
    """A node of the organization's tree; the root is the organization. Grants are inherited down the tree.

    `group` carries the team's grants as object permissions; members of a team are in its group and in those of every
    ancestor.
    """

    owner_team_field: ClassVar[str] = "pk"

    name = models.CharField(max_length=64, unique=True, validators=[team_name])
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    cost_center = models.CharField(max_length=64, blank=True)
    group = models.OneToOneField(Group, on_delete=models.PROTECT, related_name="team", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                Coalesce("parent", 0),
                condition=models.Q(parent__isnull=True),
                name="identity_one_root_team",
                violation_error_message="There is one organization already: choose a parent.",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> str:
        return f"team:{self.pk}"

    @classmethod
    def subtree(cls, pk: int) -> frozenset[int]:
        """Primary keys of a team and of all teams below it; one query per level."""
        found = {pk}
        level = {pk}
        while level:
            level = set(cls.objects.filter(parent_id__in=level).values_list("pk", flat=True)) - found
            found |= level
        return frozenset(found)


class Accounts(UserManager[Any]):
    """All accounts. `manage.py createsuperuser` comes through here, and leaves its audit row like everything else."""

    use_in_migrations = False

    def create_superuser(self, username: str, email: str | None = None, password: str | None = None, **values: Any) -> Any:
        from identity import actions

        flags = {"is_staff": True, "is_superuser": True}
        return actions.create_user(actor=None, username=username, email=email or "", password=password, **{**values, **flags})


class User(AbstractUser):
    """A person, a service account or an agent. Only people have passwords; `username` is the name of all three."""

    class Kind(models.TextChoices):
        PERSON = "person", "Person"
        SERVICE_ACCOUNT = "service_account", "Service account"
        AGENT = "agent", "Agent"

    owner_team_field: ClassVar[str] = "team"

    kind = models.CharField(max_length=16, choices=Kind, default=Kind.PERSON, editable=False)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="members")

    objects: ClassVar[UserManager[Any]] = Accounts()

    class Meta(AbstractUser.Meta):
        ordering = ("username",)

    @property
    def ref(self) -> str:
        return f"user:{self.pk}"

    @property
    def roles(self) -> list[Group]:
        """The user's groups that are no team's; cheap when `groups__team` is prefetched."""
        return [group for group in self.groups.all() if not hasattr(group, "team")]

    @cached_property
    def team_scope(self) -> frozenset[int]:
        """Primary keys of the user's team and of all teams below it: where this user's permissions reach."""
        return frozenset() if self.team_id is None else Team.subtree(self.team_id)


class _OfKind(UserManager[Any]):
    """Users of one kind, for the proxies below."""

    use_in_migrations = False

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().filter(kind=self.kind)


class ServiceAccount(User):
    """A user that is a program."""

    objects: ClassVar[UserManager[Any]] = _OfKind(User.Kind.SERVICE_ACCOUNT)

    class Meta:
        proxy = True
        verbose_name = "service account"


class AgentIdentity(User):
    """A user that is an agent: the principal under which a registered agent calls."""

    objects: ClassVar[UserManager[Any]] = _OfKind(User.Kind.AGENT)

    class Meta:
        proxy = True
        verbose_name = "agent identity"
        verbose_name_plural = "agent identities"


class _Roles(GroupManager):
    use_in_migrations = False

    def get_queryset(self) -> models.QuerySet[Group]:
        return super().get_queryset().filter(team__isnull=True)


class Role(Group):
    """A set of model permissions to give to people: what they may do with the things of their team and of those below.

    Django's groups that carry no team. A role alone reaches nothing of other teams.
    """

    objects = _Roles()  # type: ignore[misc]

    class Meta:
        proxy = True
        ordering = ("name",)


class APIKey(Limited):
    """A key of which only the digest is kept: HMAC-SHA256 over the whole key text with the server's pepper, in hex.

    `purpose` says which page of the house made it for itself; "" is a key that somebody made. The former live for minutes,
    are in no list of keys to keep, and do not open the management API.

    `rotated_at` is set when a successor exists; the key then still works until `expires_at`. A name is used by one
    current key of an owner at a time.
    """

    class Purpose(models.TextChoices):
        PLAYGROUND = "playground", "Playground"

    owner_team_field: ClassVar[str] = "owner__team"

    name = models.CharField(max_length=64)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_keys")
    prefix = models.CharField(max_length=8, unique=True, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    rotated_at = models.DateTimeField(null=True, blank=True, editable=False)
    replaced_by = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replaces", editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    use_cache = models.BooleanField(
        "cached answers",
        default=False,
        help_text="Calls with this key may be answered from the response cache, where a model has one.",
    )
    purpose = models.CharField(max_length=16, blank=True, choices=Purpose.choices, default="", editable=False)

    class Meta:
        verbose_name = "API key"
        ordering = ("-created_at", "-pk")
        constraints = (
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=models.Q(revoked_at__isnull=True, rotated_at__isnull=True),
                name="identity_key_name_per_owner",
                violation_error_message="This owner has a key of that name already.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} (ch_{self.prefix}…)"

    @property
    def ref(self) -> str:
        return f"key:{self.pk}"

    @property
    def state(self) -> str:
        """active, rotated (works until it expires), expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= timezone.now():
            return "expired"
        return "active" if self.rotated_at is None else "rotated"

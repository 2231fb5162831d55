"""What the data plane knows of identity: keys by the first byte of their digest, teams, and grants by subject."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet
from django.utils import timezone
from guardian.models import GroupObjectPermission, UserObjectPermission

from audit.models import AuditEvent
from dataplane.snapshot import (
    GRANT_SHARDS,
    GrantSection,
    KeyRecord,
    KeySection,
    LimitRecord,
    PrincipalRecord,
    TeamRecord,
    TeamSection,
    encode,
    grant_shard,
    key_shard,
)
from identity.models import APIKey, Limited, Team
from identity.queries import is_grantable, objects_behind

PREFIXES = ("keys:", "teams", "grants:")


def all_sections() -> Iterable[str]:
    yield "teams"
    yield from (f"keys:{shard:02x}" for shard in range(256))
    yield from (f"grants:{shard:02x}" for shard in range(GRANT_SHARDS))


def sections_for(event: AuditEvent) -> set[str]:
    """One changed key is one shard; a changed user the shards of their keys; a grant the shard of its subject."""
    if event.target_type == "identity.apikey":
        return {event.extra["section"]}
    if "subject" in event.extra and event.action.startswith("identity.grant."):
        return {grant_shard(event.extra["subject"])}
    if event.target_type == "identity.team":
        return {"teams"}
    if event.target_type == "identity.user":
        digests = APIKey.objects.filter(owner_id=int(event.target_id), revoked_at__isnull=True).values_list("digest", flat=True)
        return {key_shard(bytes.fromhex(digest)) for digest in digests}
    return _sections_of_object(event)


def compile_section(name: str) -> bytes | None:
    kind, _, shard = name.partition(":")
    if kind == "teams":
        return _teams()
    return _keys(shard) if kind == "keys" else _grants(name)


def _sections_of_object(event: AuditEvent) -> set[str]:
    """A thing that was renamed or deleted is named otherwise, or no more, in the grants on it."""
    try:
        model = apps.get_model(event.target_type)
    except (LookupError, ValueError):
        return set()
    if not is_grantable(model):
        return set()
    rows = {"content_type": ContentType.objects.get_for_model(model), "object_pk": event.target_id}
    users = UserObjectPermission.objects.filter(**rows).values_list("user_id", flat=True)
    teams = Team.objects.filter(group__in=GroupObjectPermission.objects.filter(**rows).values("group")).values_list("pk", flat=True)
    return {grant_shard(f"user:{pk}") for pk in users} | {grant_shard(f"team:{pk}") for pk in teams}


def _limits(row: Limited) -> LimitRecord | None:
    if row.rpm is None and row.tpm is None and row.concurrency is None:
        return None
    return LimitRecord(rpm=row.rpm, tpm=row.tpm, concurrency=row.concurrency)


def _keys(shard: str) -> bytes | None:
    """Keys that are neither revoked nor expired and whose owner is active. The data plane itself ends them at `expires_at`."""
    after = f"{int(shard, 16) + 1:02x}" if shard != "ff" else "g"
    keys = (
        APIKey.objects.filter(digest__gte=shard, digest__lt=after, revoked_at__isnull=True, owner__is_active=True)
        .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now()))
        .select_related("owner")
        .order_by("pk")
    )
    records = tuple(_key(key) for key in keys)
    return encode(KeySection(keys=records)) if records else None


def _key(key: APIKey) -> KeyRecord:
    owner = key.owner
    principal = PrincipalRecord(
        ref=owner.ref, name=owner.username, kind=owner.kind, team=owner.team_id, staff=owner.is_staff or owner.is_superuser
    )
    return KeyRecord(
        id=key.pk,
        name=key.name,
        prefix=key.prefix,
        digest=bytes.fromhex(key.digest),
        principal=principal,
        expires_at=key.expires_at.timestamp() if key.expires_at else None,
        limits=_limits(key),
        cache=key.use_cache,
    )


def _teams() -> bytes | None:
    teams = {team.pk: team for team in Team.objects.order_by("pk")}
    records = tuple(TeamRecord(id=pk, name=team.name, path=_path(teams, pk), limits=_limits(team)) for pk, team in teams.items())
    return encode(TeamSection(teams=records)) if records else None


def _path(teams: dict[int, Team], pk: int) -> tuple[int, ...]:
    path: list[int] = []
    at: int | None = pk
    while at is not None:
        path.append(at)
        at = teams[at].parent_id
    return tuple(path)


def _grants(name: str) -> bytes | None:
    """Direct grants of the subjects in this shard. The hash that shards is not SQL's, so subjects are told apart here."""
    users = UserObjectPermission.objects.filter(permission__codename__startswith="use_")
    teams = GroupObjectPermission.objects.filter(permission__codename__startswith="use_", group__team__isnull=False)
    held = _rows(users, "user_id", "user", name) | _rows(teams, "group__team", "team", name)
    objects = objects_behind({row for rows in held.values() for row in rows})
    named = {subject: sorted(objects[row].resource_ref for row in rows if row in objects) for subject, rows in held.items()}
    grants = {subject: tuple(named[subject]) for subject in sorted(named) if named[subject]}
    return encode(GrantSection(grants=grants)) if grants else None


def _rows(permissions: QuerySet[Any], field: str, kind: str, name: str) -> dict[str, list[tuple[int, str]]]:
    """(content type, primary key) of the grants of those subjects that belong to the section `name`."""
    holders = permissions.order_by().values_list(field, flat=True).distinct()
    mine = [pk for pk in holders if grant_shard(f"{kind}:{pk}") == name]
    held: dict[str, list[tuple[int, str]]] = {}
    for pk, content_type, object_pk in permissions.filter(**{f"{field}__in": mine}).values_list(field, "content_type_id", "object_pk"):
        held.setdefault(f"{kind}:{pk}", []).append((content_type, object_pk))
    return held

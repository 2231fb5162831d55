"""Importing skills."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.db import transaction

from identity.models import Team, User
from registry import permissions
from registry.actions.reviews import cancel
from registry.actions.writing import note, update_item
from registry.catalog import index
from registry.choices import SERVED, VersionState
from registry.models import Blob, Skill, SkillFile, SkillVersion
from registry.names import next_patch
from registry.skills.loading import LoadedSkill, load

FIELDS = ("owner_team", "discoverable")


def register_skill(
    *, actor: User | None, source: Path | IO[bytes], filename: str = "", owner_team: Team | None = None, discoverable: bool = False
) -> SkillVersion:
    """The skill in a folder or archive, with its first version, a draft. A skill of that name that exists already gets a
    new version, and keeps its owner. Raises BundleRefused, naming the entry."""
    with load(source, name=filename) as loaded:
        skill = Skill.objects.filter(name=loaded.document.name).first()
        if skill is not None:
            return _version(actor, skill, loaded)
        permissions.require_add(actor, Skill, owner_team)
        with transaction.atomic():
            skill = Skill(name=loaded.document.name, description=loaded.document.description[:1024], owner_team=owner_team)
            skill.discoverable = discoverable
            skill.full_clean(exclude=["live_version"])
            skill.save()
            note(actor=actor, action="skill.register", target=skill, item=skill, changes={"name": [None, skill.name]})
            return _version(actor, skill, loaded)


def new_skill_version(*, actor: User | None, skill: Skill, source: Path | IO[bytes], filename: str = "") -> SkillVersion:
    """A draft from a folder or archive. Returns the version that has this content already, if there is one."""
    with load(source, name=filename) as loaded:
        if loaded.document.name != skill.name:
            raise ValidationError(f"This is the skill {loaded.document.name!r}, not {skill.name!r}.")
        return _version(actor, skill, loaded)


@transaction.atomic
def update_skill(*, actor: User | None, skill: Skill, **values: Any) -> Skill:
    update_item(skill, actor=actor, action="skill.update", values=values, allowed=FIELDS)
    return skill


@transaction.atomic
def _version(actor: User | None, skill: Skill, loaded: LoadedSkill) -> SkillVersion:
    permissions.require_change(actor, skill)
    skill = Skill.objects.select_for_update(of=("self",)).get(pk=skill.pk)
    known: SkillVersion | None = skill.versions.filter(digest=loaded.digest).order_by("-id").first()
    if known is not None:
        return known
    number = _number(actor, skill, loaded)
    document = loaded.document
    stored = SkillVersion(
        skill=skill,
        version=number,
        digest=loaded.digest,
        frontmatter=document.frontmatter,
        body=document.body,
        size=loaded.bundle.total,
        file_count=len(loaded.bundle),
        problems=list(document.problems),
        source=loaded.source[:500],
        created_by=actor,
    )
    stored.save()
    _store_files(stored, loaded)
    changes: dict[str, list[Any]] = {"version": [None, number], "digest": [None, loaded.digest], "files": [None, stored.file_count]}
    note(actor=actor, action="skill.version", target=stored, item=skill, changes=changes, problems=len(document.problems))
    if skill.live_version_id is None:
        index.refresh(skill)
    return stored


def _number(actor: User | None, skill: Skill, loaded: LoadedSkill) -> str:
    """`metadata.version`, else the next patch. A number that was approved is never given to other content; one that was
    only tried is free again."""
    taken = {version.version: version for version in skill.versions.all()}
    declared = loaded.document.declared_version
    if declared is None:
        return next_patch(set(taken))
    holder = taken.get(declared)
    if holder is None:
        return declared
    if holder.state in SERVED:
        raise ValidationError(f"{skill.name} {declared} is published with other content: raise metadata.version in SKILL.md.")
    if holder.state == VersionState.PENDING:
        cancel(actor, holder, reason="It was replaced by another import of the same version.")
    note(actor=actor, action="skill.version_dropped", target=holder, item=skill, changes={"digest": [holder.digest, None]})
    holder.delete()
    return declared


def _store_files(version: SkillVersion, loaded: LoadedSkill) -> None:
    """Each content once, however many skills and versions hold it; one file at a time in memory."""
    wanted = {file.digest for file in loaded.bundle}
    present = set(Blob.objects.filter(digest__in=wanted).values_list("digest", flat=True))
    for file in loaded.bundle:
        if file.digest not in present:
            Blob.objects.create(digest=file.digest, size=file.size, content=file.read())
            present.add(file.digest)
    SkillFile.objects.bulk_create(
        (
            SkillFile(version=version, path=file.path, executable=file.executable, size=file.size, blob_id=file.digest)
            for file in loaded.bundle
        ),
        batch_size=500,
    )

"""Skills. An entry says where the files are; what the skill is called stands in its SKILL.md, so that is read first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from config.applying import shape
from config.applying.kind import Kind, Reference, Run, named_team
from config.applying.kinds.called import newest
from config.applying.reading import Stated
from registry import actions
from registry.choices import SERVED
from registry.models import Collection, Skill, SkillVersion
from registry.skills.loading import load


class ReadSkill(shape.Skill, kw_only=True):
    """An entry with what its files say. `digest` is the content's, so the same files elsewhere are no change."""

    name: str
    digest: str = ""


class Skills(Kind[ReadSkill]):
    section, word = "skills", "skill"

    def expand(self, stated: Stated, run: Run) -> list[Stated]:
        source = (run.base / Path(stated.entry.source).expanduser()).resolve()
        with load(source) as loaded:
            run.sources[loaded.document.name] = source
            fields = msgspec.structs.asdict(stated.entry) | {"source": str(source)}
            return [Stated(stated.path, ReadSkill(name=loaded.document.name, digest=loaded.digest, **fields))]

    def references(self, entry: ReadSkill) -> Iterator[Reference]:
        if entry.team is not None:
            yield Reference(("team",), ("teams",), entry.team)

    def stored(self) -> dict[str, ReadSkill]:
        rows = Skill.objects.select_related("owner_team", "live_version").prefetch_related("collections").order_by("name")
        return {row.name: _skill(row) for row in rows}

    def settled(self, entry: ReadSkill, before: ReadSkill | None, run: Run) -> ReadSkill:
        if before is None:
            return entry
        fields: dict[str, Any] = {"source": before.source, "approve": entry.approve or before.approve}
        in_it = Collection.objects.filter(slug=entry.collection, skills__name=entry.name).exists()
        if entry.collection is None or in_it:
            fields["collection"] = before.collection  # a skill may be in several
        if not entry.approve and SkillVersion.objects.filter(skill__name=entry.name, digest=entry.digest).exists():
            fields["digest"] = before.digest  # proposed already; whether it goes live is for a reviewer
        return msgspec.structs.replace(entry, **fields)

    def create(self, entry: ReadSkill, run: Run) -> None:
        version = actions.register_skill(
            actor=run.actor, source=Path(entry.source), owner_team=named_team(entry.team), discoverable=entry.discoverable
        )
        if entry.approve:
            actions.publish(actor=run.actor, version=version, reason="Approved by the applied file.")
        self._collect(entry, version.skill, run)

    def update(self, entry: ReadSkill, before: ReadSkill, changed: frozenset[str], run: Run) -> None:
        skill = Skill.objects.get(name=entry.name)
        if changed & {"team", "discoverable"}:
            actions.update_skill(actor=run.actor, skill=skill, owner_team=named_team(entry.team), discoverable=entry.discoverable)
        version = newest(skill)
        if "digest" in changed:
            version = actions.new_skill_version(actor=run.actor, skill=skill, source=run.sources[entry.name])
        if entry.approve and changed & {"approve", "digest"}:
            self._go_live(version, run)
        if "collection" in changed:
            self._collect(entry, skill, run)

    def remove(self, name: str, before: ReadSkill, run: Run) -> None:
        actions.delete_item(actor=run.actor, item=Skill.objects.get(name=name))

    def _go_live(self, version: SkillVersion, run: Run) -> None:
        """The file's content is to be live, also where a later one was approved since."""
        if version.state in SERVED:
            actions.make_live(actor=run.actor, version=version, reason="Named by the applied file.")
        else:
            actions.publish(actor=run.actor, version=version, reason="Approved by the applied file.")

    def _collect(self, entry: ReadSkill, skill: Skill, run: Run) -> None:
        if entry.collection is not None:
            collection = Collection.objects.filter(slug=entry.collection).first()
            if collection is None:
                collection = actions.create_collection(actor=run.actor, slug=entry.collection, owner_team=skill.owner_team)
            actions.add_to_collection(actor=run.actor, collection=collection, skill=skill)


def _skill(row: Skill) -> ReadSkill:
    shown = row.live_version or newest(row)
    collections = sorted(collection.slug for collection in row.collections.all())
    return ReadSkill(
        name=row.name,
        source=shown.source if shown else "",
        digest=shown.digest if shown else "",
        collection=collections[0] if collections else None,
        team=row.owner_team.name if row.owner_team else None,
        discoverable=row.discoverable,
        approve=row.live_version is not None,
    )

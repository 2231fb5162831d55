"""The database in the shape of the file. What it writes, applied again, changes nothing.

Secrets are not in it: keys are kept as digests and credentials sealed. An entry without one keeps what is stored.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from config.applying.kind import as_stated
from config.applying.kinds import KINDS
from config.applying.kinds.called import newest
from config.applying.shape import SECTIONS, Shape
from registry.models import Skill


def exported(*, skills_in: Path | None = None) -> dict[str, list[dict[str, Any]]]:
    """Sections in the order of the file's shape, entries without what is default. With `skills_in`, the folder of the
    file, the live files of every skill are written to `skills/<name>/` there and named so."""
    found: dict[str, list[dict[str, Any]]] = {}
    stored = {kind.section: list(kind.stored().values()) for kind in KINDS}
    for section in SECTIONS:
        entries = stored[section]
        if section == "grants":
            entries = _joined(entries)
        plain = [_plain(entry) for entry in entries]
        if section == "skills" and skills_in is not None:
            for entry, read in zip(plain, entries, strict=True):
                entry["source"] = _write_skill(read.name, skills_in)
        if plain:
            found[section] = plain
    return found


def as_yaml(sections: dict[str, list[dict[str, Any]]]) -> str:
    return yaml.safe_dump(sections, sort_keys=False, allow_unicode=True, width=140) if sections else "{}\n"


def _plain(entry: Shape) -> dict[str, Any]:
    values: dict[str, Any] = as_stated(entry)
    for own in ("digest", "name") if "source" in values else ():
        values.pop(own, None)
    return values


def _joined(grants: list[Any]) -> list[Any]:
    uses: dict[str, list[str]] = defaultdict(list)
    for grant in grants:
        uses[grant.to] += grant.use
    return [type(grants[0])(to=to, use=use) for to, use in uses.items()] if grants else []


def _write_skill(name: str, folder: Path) -> str:
    """Writes the files of what is live, or was proposed last. Their paths were checked when they were imported."""
    skill = Skill.objects.select_related("live_version").get(name=name)
    version: Any = skill.live_version or newest(skill)
    target = folder / "skills" / name
    for file in version.files.select_related("blob"):
        path = target / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(file.blob.content))
        path.chmod(0o755 if file.executable else 0o644)
    return f"./skills/{name}"

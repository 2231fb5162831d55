"""SKILL.md: reading it leniently, and saying strictly what is wrong with it and how to put it right.

Source of the rules: the Agent Skills format (agentskills.io/specification). All values are read as text, as its
reference reader does, so `version: 1.10` stays `1.10`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from registry.errors import BundleRefused
from registry.names import is_semver

MAX_DOCUMENT = 1024 * 1024
MAX_FRONTMATTER = 64 * 1024
MAX_NAME = 64
MAX_DESCRIPTION = 1024
MAX_COMPATIBILITY = 500

FIELDS = frozenset({"name", "description", "license", "compatibility", "metadata", "allowed-tools"})
CLIENT_FIELDS = frozenset({"disable-model-invocation", "user-invocable", "argument-hint", "model"})
"""Not of the format, but read by common clients: let through."""

_NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
_FRONTMATTER = re.compile(r"---[ \t]*\r?\n(.*?)(?:\r?\n)?^---[ \t]*(?:\r?\n|\Z)(.*)\Z", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SkillDocument:
    """`problems` are sentences with a remedy; empty when the document may be published."""

    name: str
    description: str
    frontmatter: dict[str, Any]
    body: str
    problems: tuple[str, ...]

    @property
    def declared_version(self) -> str | None:
        """The semver in `metadata.version`, None when there is none."""
        metadata = self.frontmatter.get("metadata")
        version = metadata.get("version") if isinstance(metadata, dict) else None
        return version if isinstance(version, str) and is_semver(version) else None


class _TextLoader(yaml.BaseLoader):
    """Every scalar is text; anchors and repeated keys are refused, because two readers take them differently."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed here", problem_mark=self.get_event().start_mark)  # type: ignore[no-untyped-call]
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a word", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"'{key.value}' is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read(raw: bytes, *, folder_name: str = "") -> SkillDocument:
    """Raises BundleRefused where there is nothing to work with: no text, no front matter, broken YAML, no name."""
    text = _text(raw)
    match = _FRONTMATTER.match(text)
    if match is None:
        raise BundleRefused("must start with front matter: a line ---, then name: and description:, then a line ---", entry="SKILL.md")
    frontmatter = _frontmatter(match[1])
    written = frontmatter.get("name")
    name = _slug(written if isinstance(written, str) and written.strip() else folder_name)
    if not name:
        raise BundleRefused("has no name: write name: followed by lower-case letters, digits and hyphens", entry="SKILL.md")
    description = frontmatter.get("description")
    body = match[2].strip("\r\n")
    problems = tuple(_problems(frontmatter, name, body, folder_name))
    return SkillDocument(name, description.strip() if isinstance(description, str) else "", frontmatter, body, problems)


def _text(raw: bytes) -> str:
    if len(raw) > MAX_DOCUMENT:
        raise BundleRefused("is larger than 1 MiB; move parts of it into references/", entry="SKILL.md")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BundleRefused(f"is not UTF-8 (byte {error.start})", entry="SKILL.md") from None
    if "\x00" in text:
        raise BundleRefused("holds a NUL character", entry="SKILL.md")
    return text


def _frontmatter(text: str) -> dict[str, Any]:
    if len(text) > MAX_FRONTMATTER:
        raise BundleRefused("has front matter longer than 64 KiB", entry="SKILL.md")
    try:
        found = yaml.load(text, Loader=_TextLoader)  # noqa: S506  (a subclass of BaseLoader: text, lists and maps only)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else 2
        hint = "; put a value that holds a colon or starts with a special character in quotes"
        raise BundleRefused(
            f"line {line}: {error.problem}{hint if 'not allowed here' in str(error.problem) else ''}", entry="SKILL.md"
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise BundleRefused(f"has front matter that is not YAML ({type(error).__name__})", entry="SKILL.md") from None
    if not isinstance(found, dict):
        raise BundleRefused("has front matter without fields: write name: and description:", entry="SKILL.md")
    return found


def _slug(text: str) -> str:
    """The nearest name that the format allows."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MAX_NAME].strip("-")


def _problems(fields: dict[str, Any], name: str, body: str, folder_name: str) -> Iterator[str]:
    yield from _name_problems(fields.get("name"), name, folder_name)
    yield from _text_problems(fields)
    yield from _shape_problems(fields)
    if not body.strip():
        yield "SKILL.md has no instructions after its front matter: write what the agent shall do."


def _name_problems(written: Any, name: str, folder_name: str) -> Iterator[str]:
    if not isinstance(written, str) or not written.strip():
        yield f"name is missing: write `name: {name}`."
    elif len(written) > MAX_NAME or not _NAME.fullmatch(written):
        yield f"name {written!r} is not made of 1 to 64 lower-case letters, digits and single hyphens: write `name: {name}`."
    elif folder_name and folder_name != written:
        yield f"name {written!r} is not the name of its folder {folder_name!r}: rename one of them."


def _text_problems(fields: dict[str, Any]) -> Iterator[str]:
    description = fields.get("description")
    if not isinstance(description, str) or not description.strip():
        yield "description is missing: say in a sentence or two what the skill does and when to use it."
    elif len(description) > MAX_DESCRIPTION:
        yield f"description has {len(description)} characters, at most {MAX_DESCRIPTION} are allowed: move details into the text below."
    compatibility = fields.get("compatibility")
    if compatibility is not None and (not isinstance(compatibility, str) or not 1 <= len(compatibility) <= MAX_COMPATIBILITY):
        yield f"compatibility must be 1 to {MAX_COMPATIBILITY} characters of text, or left out."
    if not isinstance(fields.get("license", ""), str):
        yield "license must be a short text, such as `license: MIT`."


def _shape_problems(fields: dict[str, Any]) -> Iterator[str]:
    tools = fields.get("allowed-tools", "")
    if isinstance(tools, list):
        yield f"allowed-tools must be one line of text: write `allowed-tools: {' '.join(map(str, tools))}`."
    elif not isinstance(tools, str):
        yield "allowed-tools must be one line of text, such as `allowed-tools: Read Bash(git:*)`."
    metadata = fields.get("metadata", {})
    if metadata == "":
        metadata = {}
    if not isinstance(metadata, dict):
        yield "metadata must be a map of names to texts."
    else:
        nested = sorted(key for key, value in metadata.items() if not isinstance(value, str))
        if nested:
            yield f"metadata holds texts only, so {', '.join(nested)} can't be a list or a map: write each as one text."
        version = metadata.get("version")
        if isinstance(version, str) and not is_semver(version):
            yield f"metadata.version {version!r} is not a semantic version: write three numbers, such as `version: 1.0.0`."
    for field in sorted(set(fields) - FIELDS - CLIENT_FIELDS):
        yield f"{field!r} is not a field of the format: move it into metadata (`metadata:` and, indented, `{field}: …`)."

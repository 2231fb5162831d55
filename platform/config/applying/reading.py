"""From a document to checked entries: every entry is looked at, and all that is wrong is told in one go."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from config.applying.document import Document, Path
from config.applying.problems import Problem, Refused
from config.applying.shape import SECTIONS, Shape

_AT = re.compile(r"\A(?P<message>.*?)(?: - at `\$(?P<path>.*)`)?\Z", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_NAMED = re.compile(r"`([^`]+)`")
_WORDS = {"str": "text", "int": "a whole number", "bool": "true or false", "object": "a mapping", "array": "a list", "null": "nothing"}


@dataclass(frozen=True, slots=True)
class Stated:
    """An entry and where it is written."""

    path: Path
    entry: Any


def read_entries(document: Document) -> dict[str, list[Stated]]:
    """Entries by section. Raises Refused."""
    if not isinstance(document.data, dict):
        raise Refused([document.problem((), f"expected a mapping with {', '.join(SECTIONS)}")])
    problems: list[Problem] = []
    found: dict[str, list[Stated]] = {}
    for section, entries in document.data.items():
        kind = SECTIONS.get(section)
        if kind is None:
            problems.append(document.problem((section,), f"is not known; expected one of {', '.join(SECTIONS)}"))
        elif entries is None:
            found[section] = []
        elif not isinstance(entries, list):
            problems.append(document.problem((section,), "expected a list"))
        else:
            found[section] = _read_section(document, section, entries, kind, problems)
    if problems:
        raise Refused(problems)
    return found


def _read_section(document: Document, section: str, entries: list[Any], kind: type[Shape], problems: list[Problem]) -> list[Stated]:
    read = []
    for number, value in enumerate(entries):
        path: Path = (section, number)
        try:
            read.append(Stated(path, msgspec.convert(value, kind)))
        except msgspec.ValidationError as error:
            problems.append(_told(document, path, kind, str(error)))
    return read


def _told(document: Document, path: Path, kind: type[Shape], text: str) -> Problem:
    """msgspec's error in the words of the file: the field's own expectation where it has one."""
    match = _AT.match(text)
    message, steps = (match["message"], match["path"] or "") if match else (text, "")
    inner: Path = tuple(name or (int(index) if index.isdigit() else "*") for name, index in _STEP.findall(steps))
    named = _NAMED.search(message)
    if message.startswith("Object contains unknown field") and named:
        fields = ", ".join(_fields(kind, inner))
        return document.problem((*path, *inner, named[1]), f"is not known; expected one of {fields}")
    if message.startswith("Object missing required field") and named:
        return document.problem((*path, *inner), f"expected {named[1]}, which is missing")
    expected = _expectation(kind, inner)
    return document.problem((*path, *inner), f"expected {expected}" if expected else _plain(message))


def _plain(message: str) -> str:
    """`Expected `str`, got `int`` as `expected text`; enumerations and bounds keep msgspec's wording."""
    named = _NAMED.findall(message)
    if message.startswith("Expected `") and named:
        expected = " or ".join(_WORDS.get(word.strip(), word.strip()) for word in named[0].split("|"))
        rest = message.partition("`, got")[0].partition(f"`{named[0]}`")[2]
        return f"expected {expected}{rest}"
    return message[:1].lower() + message[1:]


def _fields(kind: Any, inner: Path) -> tuple[str, ...]:
    at = _descend(kind, inner)
    return at.__struct_fields__ if isinstance(at, type) and issubclass(at, msgspec.Struct) else ()


def _expectation(kind: Any, inner: Path) -> str | None:
    at = _descend(kind, inner)
    for option in _options(at):
        if get_origin(option) is Annotated:
            for note in option.__metadata__:
                if isinstance(note, msgspec.Meta) and isinstance(note.extra, Mapping):
                    return str(note.extra["expected"])
        if str(getattr(option, "__origin__", "")) == "typing.Literal":
            return f"one of {', '.join(map(str, get_args(option)))}"
    return None


def _descend(kind: Any, inner: Path) -> Any:
    """The type of what is at `inner` inside an entry of `kind`; optional parts are entered."""
    for step in inner:
        struct = next((option for option in _options(kind) if isinstance(option, type) and issubclass(option, msgspec.Struct)), None)
        if struct is not None:
            kind = get_type_hints(struct, include_extras=True).get(str(step))
        else:
            kind = next((get_args(option)[-1] for option in _options(kind) if get_origin(option) in (list, dict)), None)
    return kind


def _options(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) in (Union, types.UnionType):
        return get_args(kind)
    return (kind,)

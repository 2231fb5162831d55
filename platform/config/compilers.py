"""The apps' compile.py, side by side: which of them owns a section, and which sections a change may alter.

Each has `PREFIXES`, `sections_for(event) -> set[str]`, `all_sections() -> Iterable[str]` and
`compile_section(name) -> bytes | None` (None: the section is gone).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, cast

from django.conf import settings

if TYPE_CHECKING:
    from audit.models import AuditEvent


class Compiler(Protocol):
    PREFIXES: tuple[str, ...]

    def sections_for(self, event: AuditEvent) -> set[str]: ...
    def all_sections(self) -> Iterable[str]: ...
    def compile_section(self, name: str) -> bytes | None: ...


@cache
def compilers() -> tuple[Compiler, ...]:
    return tuple(
        cast("Compiler", import_module(f"{app}.compile")) for app in settings.HOUSE_APPS if find_spec(f"{app}.compile") is not None
    )


def touched_by(events: Iterable[AuditEvent]) -> set[str]:
    return {name for event in events for compiler in compilers() for name in compiler.sections_for(event)}


def every_section() -> set[str]:
    return {name for compiler in compilers() for name in compiler.all_sections()}


def compile_section(name: str) -> bytes | None:
    """Raises LookupError when no app owns the name."""
    for compiler in compilers():
        if any(name == prefix or (prefix.endswith(":") and name.startswith(prefix)) for prefix in compiler.PREFIXES):
            return compiler.compile_section(name)
    raise LookupError(f"no app compiles the section {name}")

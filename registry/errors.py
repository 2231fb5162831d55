"""What the registry refuses, in words for the person who asked.

    ValidationError
    └── RegistryError
        ├── StateError           the version or review is not in a state that allows this
        ├── DiscoveryError       a server or an agent did not answer, or answered nonsense
        ├── BundleRefused        a skill's folder or archive is unsafe or too big; names the entry
        └── ProblemsRemain       a skill that breaks the format can't be submitted; lists what to fix
    PermissionDenied             the actor may not do this to an item that it may see

All are what admin, REST and portal already know how to show.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ValidationError


class RegistryError(ValidationError):
    """Base of every refusal; `str()` is fit for the person who asked."""

    def __str__(self) -> str:
        return " ".join(self.messages)


class StateError(RegistryError):
    pass


class DiscoveryError(RegistryError):
    pass


class BundleRefused(RegistryError):
    """`entry` is the offending path as it was written, "" when the bundle as a whole is meant."""

    def __init__(self, message: str, *, entry: str = "") -> None:
        super().__init__(f"{entry!r}: {message}" if entry else message)
        self.entry = entry


class ProblemsRemain(RegistryError):
    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(list(problems))
        self.problems = tuple(problems)

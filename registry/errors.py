"""What the registry refuses, in words for the person who asked.

RegistryError
├── StateError           the version or review is not in a state that allows this
├── NotAllowed           the actor may not do this to an item that it may see
├── DiscoveryError       a server or an agent did not answer, or answered nonsense
├── BundleRefused        a skill's folder or archive is unsafe or too big; names the entry
└── ProblemsRemain       a skill that breaks the format can't be submitted; lists what to fix
"""

from __future__ import annotations

from collections.abc import Sequence


class RegistryError(Exception):
    """Base of every refusal; `str()` is fit for the person who asked."""


class StateError(RegistryError):
    pass


class NotAllowed(RegistryError):
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
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)

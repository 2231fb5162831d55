"""How things in the registry may be called. All validators raise django.core.exceptions.ValidationError."""

from __future__ import annotations

import re
from typing import Any

from django.core.validators import MaxLengthValidator, RegexValidator

SLUG = RegexValidator(
    r"^[a-z0-9](?:-?[a-z0-9])*\Z", "Use lower-case letters, digits and single hyphens, with a letter or digit at both ends."
)
SERVER_NAME = RegexValidator(
    r"^[a-zA-Z0-9.-]{1,150}/[a-zA-Z0-9._-]{1,100}\Z",
    "Write a reverse-DNS name such as io.github.acme/weather: letters, digits, dots and hyphens, one slash.",
)
HEADER_NAME = RegexValidator(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}\Z", "This is not the name of an HTTP header.")
VERSION = RegexValidator(r"^[0-9A-Za-z](?:[0-9A-Za-z.+_-]*[0-9A-Za-z])?\Z", "Use a version such as 1.4.0 or 2026-11-22.")
TOOL_PATTERN = re.compile(r"(?P<server>[a-z0-9](?:-?[a-z0-9])*)/(?P<tool>\*|[^\s/*][^\s*]{0,127})")
VERSION_LENGTH = MaxLengthValidator(64)

_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?"
)
"""https://semver.org, item 2.0.0."""


def is_semver(text: str) -> bool:
    return _SEMVER.fullmatch(text) is not None


def version_order(text: str) -> tuple[Any, ...]:
    """Sorts versions: semver by its own precedence, anything else before all of them and by its text."""
    match = _SEMVER.fullmatch(text)
    if match is None:
        return (0, text)
    major, minor, patch, pre, build = match.groups()
    return (1, int(major), int(minor), int(patch), pre is None, _pre_order(pre or ""), build or "")


def _pre_order(pre: str) -> tuple[tuple[int, int, str], ...]:
    """Numeric identifiers come before others and compare as numbers (semver item 11)."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".") if part)


def revision_of(version: str, taken: set[str]) -> str:
    """`version`, or its first free revision `1.4.0+r2`: content that changed without a new version of its own.

    Build metadata keeps semver's precedence, and says that the publisher did not choose this number.
    """
    if version not in taken:
        return version
    joint = "." if "+" in version else "+"
    number = 2
    while f"{version}{joint}r{number}" in taken:
        number += 1
    return f"{version}{joint}r{number}"


def next_patch(taken: set[str]) -> str:
    """The version for content whose author named none: a patch above the highest semver in use, or 1.0.0."""
    ordered = sorted((text for text in taken if is_semver(text)), key=version_order)
    if not ordered:
        return "1.0.0"
    match = _SEMVER.fullmatch(ordered[-1])
    major, minor, patch = match.groups()[:3] if match else ("1", "0", "-1")
    return f"{major}.{minor}.{int(patch) + 1}"

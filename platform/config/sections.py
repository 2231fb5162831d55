"""Compiling sections and storing those whose bytes changed. One that fails keeps its last good version and holds up no other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from config import compilers
from config.models import FailedSection, Publication, PublishedSection
from dataplane.snapshot import SCHEMA

log = structlog.get_logger(__name__)

RETRY_AFTER, RETRY_AT_MOST = timedelta(seconds=5), timedelta(minutes=1)
AT_ONCE = 200
"""Sections held in memory and written together; SQLite binds a bounded number of parameters."""


def due_for_retry() -> set[str]:
    return set(FailedSection.objects.filter(retry_at__lte=timezone.now()).values_list("name", flat=True))


def store_sections(state: Publication, names: Iterable[str]) -> int | None:
    """Compiles `names`, stores what is new all under one new version and saves `state`. Returns the version, or None when
    nothing is new. Runs inside the transaction that holds the lock of `state`."""
    failing = set(FailedSection.objects.values_list("name", flat=True))
    version, stored = state.version + 1, []
    for group in _groups(sorted(names)):
        known = {row[0]: row[1:] for row in PublishedSection.objects.filter(name__in=group).values_list("name", "digest", "schema")}
        changed = [section for name in group if (section := _compiled(name, known.get(name), version, failing)) is not None]
        PublishedSection.objects.bulk_create(
            changed, update_conflicts=True, unique_fields=["name"], update_fields=["version", "schema", "body", "digest", "published_at"]
        )
        stored += [section.name for section in changed]
    if stored:
        state.version = version
        log.info("publication.published", version=version, count=len(stored), sections=stored[:20])
    state.save(update_fields=["audit_id", "version", "schema"])
    return version if stored else None


def _groups(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), AT_ONCE):
        yield names[start : start + AT_ONCE]


def _compiled(name: str, known: tuple[str, int] | None, version: int, failing: set[str]) -> PublishedSection | None:
    """The section to store, or None where it is unchanged, was never there, or fails."""
    try:
        with transaction.atomic():
            body = compilers.compile_section(name)
    except Exception as error:  # noqa: BLE001 - whatever a compiler raises concerns this section only
        _note_failure(name, error)
        return None
    if name in failing:
        FailedSection.objects.filter(name=name).delete()
    if body is None:
        if known is None:
            return None
        body = b""
    digest = hashlib.sha256(body).hexdigest()
    if known == (digest, SCHEMA):
        return None
    return PublishedSection(name=name, version=version, schema=SCHEMA, body=body, digest=digest, published_at=timezone.now())


def _note_failure(name: str, error: Exception) -> None:
    log.error("publication.section_failed", section=name, exc_info=error)
    now, text = timezone.now(), f"{type(error).__name__}: {error}"[:2000]
    failed, created = FailedSection.objects.get_or_create(name=name, defaults={"error": text, "since": now, "retry_at": now + RETRY_AFTER})
    if not created:
        failed.attempts += 1
        failed.error = text
        failed.retry_at = now + min(RETRY_AFTER * failed.attempts, RETRY_AT_MOST)
        failed.save(update_fields=["attempts", "error", "retry_at"])

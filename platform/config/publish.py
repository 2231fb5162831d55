"""Publication: what the audit trail says has changed is compiled and stored under a new version.

One row is the lock, so versions are handed out in the order in which they become visible, and "everything newer than
the version I have" is all that a follower ever has to ask. The audit trail is written under a lock of its own, hence
its ids are in commit order too and "everything after the id I have seen" misses nothing.

Runs on commit of an audited change and in every poller, so that a change by any process is live within a second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from django.db import connection, transaction
from django.dispatch import receiver

from audit.models import AuditEvent
from audit.signals import recorded
from config import compilers
from config.models import Publication, PublishedSection
from config.sections import due_for_retry, store_sections
from dataplane.snapshot import SCHEMA

log = structlog.get_logger(__name__)

EVENTS_AT_ONCE = 5_000
"""Bounds the memory of following a long trail; a section is compiled once per round whatever touched it."""

_followers: list[Callable[[], None]] = []


def follow(callback: Callable[[], None]) -> None:
    """`callback` runs after every publication of this process that changed something, outside its transaction."""
    _followers.append(callback)


def publish_pending() -> int | None:
    """Publishes what the audit trail has gained since the last time. Returns the new version, None if nothing changed."""
    published = None
    more = _is_pending()
    while more:
        with transaction.atomic():
            state = _locked_state()
            names, more = _touched(state) if state.schema == SCHEMA else (_everything(state), False)
            published = store_sections(state, names | due_for_retry()) or published
    if published is not None:
        _tell_followers()
    return published


def publish_everything() -> int | None:
    """Compiles every section anew; stores those that came out different."""
    with transaction.atomic():
        state = _locked_state()
        version = store_sections(state, _everything(state))
    if version is not None:
        _tell_followers()
    return version


def publish_beyond(version: int) -> None:
    """Lifts every section above a version that followers have and this database never gave out: it was restored from a
    backup, and without this they would wait for it to catch up."""
    with transaction.atomic():
        state = _locked_state()
        if state.version < version:
            state.version = version + 1
            PublishedSection.objects.update(version=state.version)
            state.save(update_fields=["version"])
    _tell_followers()


def published_version() -> int:
    return Publication.objects.filter(pk=Publication.SINGLETON).values_list("version", flat=True).first() or 0


def _tell_followers() -> None:
    for callback in _followers:
        try:
            callback()
        except Exception:
            # The change is committed and stored; pollers and followers ask again on their own.
            log.exception("publication.follower_failed")


def _is_pending() -> bool:
    """Without the lock, and on SQLite without keeping writers out, since pollers ask twice a second."""
    state = Publication.objects.filter(pk=Publication.SINGLETON).first()
    if state is None or state.schema != SCHEMA:
        return True
    return AuditEvent.objects.filter(id__gt=state.audit_id).exists() or bool(due_for_retry())


def _locked_state() -> Publication:
    Publication.objects.get_or_create(pk=Publication.SINGLETON)
    return Publication.objects.select_for_update().get(pk=Publication.SINGLETON)


def _touched(state: Publication) -> tuple[set[str], bool]:
    events = list(AuditEvent.objects.filter(id__gt=state.audit_id).order_by("id")[:EVENTS_AT_ONCE])
    if events:
        state.audit_id = events[-1].id
    return compilers.touched_by(events), len(events) == EVENTS_AT_ONCE


def _everything(state: Publication) -> set[str]:
    """Every section that there is or was, which also covers the whole trail so far."""
    state.schema = SCHEMA
    state.audit_id = AuditEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0
    return compilers.every_section() | set(PublishedSection.objects.exclude(body=b"").values_list("name", flat=True))


@receiver(recorded)
def _publish_on_commit(sender: Any, **_: Any) -> None:
    """Once per savepoint, however many rows are written in it. A hook of another savepoint may be rolled back with it, so
    it does not stand for this one; one that finds everything published costs three small reads."""
    here = set(connection.savepoint_ids)
    if not any(hook[1] is publish_after_commit and hook[0] == here for hook in reversed(connection.run_on_commit)):
        transaction.on_commit(publish_after_commit)


def publish_after_commit() -> None:
    """The change is committed whatever happens here, so its caller must not see a failure; the poller tries again."""
    try:
        publish_pending()
    except Exception:
        log.exception("publication.failed")

"""Write to the audit trail, compare states for it, and prove that it is whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from audit.canonical import GENESIS, HIDDEN, chain_hash, is_secret, plain
from audit.models import AuditEvent, ChainHead
from audit.signals import recorded

SYSTEM = "system"

_reading: ContextVar[bool] = ContextVar("audit_reading", default=False)


class ChainBroken(Exception):
    """The trail's head is gone while events exist: nothing may be added until somebody has looked."""


class WriteWhileReading(Exception):
    """Something was about to be written by a request that may only read. Its transaction is undone by this."""


@contextmanager
def reading() -> Iterator[None]:
    """Within it, `record` raises WriteWhileReading: since nothing is written without a record, nothing is written."""
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found. `bad` is the first position that is wrong, None when the chain is whole."""

    length: int
    hash: str
    bad: int | None = None
    reason: str = ""

    @property
    def ok(self) -> bool:
        return self.bad is None


def record(
    *,
    actor: Model | None,
    action: str,
    target: Model,
    changes: Mapping[str, list[Any]],
    extra: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Write one event about `target` in the caller's transaction and tell the receivers of `signals.recorded`.

    `actor` None is the system. `changes` maps a field to [old, new]. Events are serialized on the chain's head, so
    they are numbered in the order of their commits. A deletion is recorded before the row is deleted.
    """
    if _reading.get():
        raise WriteWhileReading(action)
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("an audit event is written in the transaction of its change")
    if target.pk is None:
        raise ValueError("the target of an audit event has no primary key (yet, or any more)")
    head = _locked_head()
    event = AuditEvent(
        id=head.length + 1,
        at=timezone.now(),
        actor_ref=SYSTEM if actor is None else f"user:{actor.pk}",
        actor_name=SYSTEM if actor is None else str(actor)[:150],
        action=action,
        target_type=_concrete_label(target),
        target_id=str(target.pk),
        target_label=plain(str(target))[:200],
        changes={field: _pair(field, pair) for field, pair in changes.items()},
        extra=plain(extra or {}),
        prev_hash=head.hash,
    )
    event.hash = chain_hash(event)
    event.append()
    head.length, head.hash = event.id, event.hash
    head.save(update_fields=["length", "hash"])
    recorded.send(sender=AuditEvent, event=event)
    return event


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The fields whose values differ, as [old, new]. A field that is missing on one side counts as None there.

    Secrets are compared, but only told as hidden.
    """
    changes: dict[str, list[Any]] = {}
    for field in (*before, *(name for name in after if name not in before)):
        old, new = before.get(field), after.get(field)
        if old != new:
            changes[field] = _pair(field, [old, new])
    return changes


def verify(*, anchor: tuple[int, str] | None = None) -> Verdict:
    """Walk the whole chain and name the first position that was changed, deleted, moved, or cut off the end.

    `anchor` is a length and hash that were noted earlier, outside the database: it also finds a chain that was
    rewritten as a whole. Reads in one pass with constant memory.
    """
    position, previous = 0, GENESIS
    for event in AuditEvent.objects.order_by("id").iterator(chunk_size=2000):
        position += 1
        if event.id != position:
            return Verdict(position - 1, previous, position, f"missing: the next event in store is number {event.id}")
        if event.prev_hash != previous:
            return Verdict(position - 1, previous, position, "does not follow from the event before it")
        if event.hash != chain_hash(event):
            return Verdict(position - 1, previous, position, "its content does not match its hash")
        previous = event.hash
        if anchor is not None and anchor[0] == position and anchor[1] != previous:
            return Verdict(position, previous, position, "differs from the anchor")
    return _end(position, previous, anchor)


def _end(position: int, previous: str, anchor: tuple[int, str] | None) -> Verdict:
    head = ChainHead.objects.filter(pk=ChainHead.SINGLETON).first()
    length = head.length if head else 0
    if length > position or (anchor is not None and anchor[0] > position):
        return Verdict(position, previous, position + 1, "missing: the end of the chain was cut off")
    if length < position:
        return Verdict(position, previous, length + 1, "was added without the chain's head")
    if head is not None and head.hash != previous:
        return Verdict(position, previous, max(position, 1), "the chain's head has another hash")
    return Verdict(position, previous)


def _locked_head() -> ChainHead:
    """The head, locked until the caller's transaction ends. SQLite locks as a whole when a transaction begins."""
    head = ChainHead.objects.select_for_update().filter(pk=ChainHead.SINGLETON).first()
    if head is not None:
        return head
    if AuditEvent.objects.exists():
        raise ChainBroken("the audit trail has events but no head")
    ChainHead.objects.get_or_create(pk=ChainHead.SINGLETON, defaults={"length": 0, "hash": GENESIS})
    return ChainHead.objects.select_for_update().get(pk=ChainHead.SINGLETON)


def _concrete_label(target: Model) -> str:
    """`identity.user` for a user and for its proxies alike, so that readers of the trail know one name."""
    model = target._meta.concrete_model or type(target)
    return model._meta.label_lower


def _pair(field: str, pair: list[Any]) -> list[Any]:
    old, new = pair
    if is_secret(field):
        return [HIDDEN if old else None, HIDDEN if new else None]
    return [plain(old), plain(new)]

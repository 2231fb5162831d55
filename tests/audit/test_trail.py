"""The trail is whole or it says where it is not. Tampering is done in SQL, as somebody with the database would do it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from audit import trail
from audit.canonical import HIDDEN, plain
from audit.models import AppendOnly, AuditEvent, ChainHead
from audit.signals import recorded
from identity.models import Team, User
from tests import factories


def written(target: Any, count: int) -> list[AuditEvent]:
    """`count` more events; those of the set-up come before them."""
    return [trail.record(actor=None, action="test.thing.update", target=target, changes={"n": [n, n + 1]}) for n in range(count)]


def sql(statement: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def test_an_event_tells_who_did_what_to_which_thing(owner: User, research: Team) -> None:
    event = trail.record(
        actor=owner, action="identity.team.update", target=research, changes={"rpm": [None, 5]}, extra={"why": "asked for"}
    )
    stored = AuditEvent.objects.get(pk=event.pk)
    assert (stored.actor_ref, stored.actor_name) == (f"user:{owner.pk}", "owner")
    assert (stored.target_type, stored.target_id, stored.target_label) == ("identity.team", str(research.pk), "research")
    assert (stored.changes, stored.extra) == ({"rpm": [None, 5]}, {"why": "asked for"})
    assert datetime.now(UTC) - stored.at < timedelta(minutes=1)


def test_the_system_is_an_actor_without_a_row(research: Team) -> None:
    event = trail.record(actor=None, action="test.thing.update", target=research, changes={})
    assert (event.actor_ref, event.actor_name) == ("system", "system")


def test_a_proxy_is_recorded_under_the_name_of_its_table(db: None) -> None:
    account = factories.make_service_account()
    event = trail.record(actor=None, action="test.thing.update", target=account, changes={})
    assert event.target_type == "identity.user"


def test_events_are_numbered_without_gaps_and_each_holds_the_hash_before_it(research: Team) -> None:
    events = written(research, 3)
    assert [event.id for event in events] == list(range(events[0].id, events[0].id + 3))
    assert [event.prev_hash for event in events[1:]] == [event.hash for event in events[:-1]]
    head = ChainHead.objects.get()
    assert (head.length, head.hash) == (events[-1].id, events[-1].hash)
    assert trail.verify() == trail.Verdict(length=events[-1].id, hash=events[-1].hash)


def test_an_empty_trail_is_whole(db: None) -> None:
    assert trail.verify().ok


def test_what_is_rolled_back_leaves_no_event_and_no_gap(research: Team) -> None:
    before = trail.verify().length
    with transaction.atomic():
        written(research, 2)
        transaction.set_rollback(True)
    assert trail.verify().length == before
    assert written(research, 1)[0].id == before + 1


def test_an_event_outside_a_transaction_is_refused(research: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(transaction.get_connection(), "in_atomic_block", False)
        with pytest.raises(transaction.TransactionManagementError, match="in the transaction of its change"):
            written(research, 1)


def test_a_target_that_was_deleted_already_is_refused(db: None) -> None:
    with pytest.raises(ValueError, match="primary key"):
        trail.record(actor=None, action="test.thing.delete", target=Team(name="gone"), changes={})


def test_receivers_are_told_inside_the_transaction(research: Team) -> None:
    told: list[tuple[int, bool]] = []

    def receiver(sender: Any, event: AuditEvent, **kwargs: Any) -> None:
        told.append((event.id, AuditEvent.objects.filter(pk=event.id).exists() and connection.in_atomic_block))

    recorded.connect(receiver)
    try:
        event = written(research, 1)[0]
    finally:
        recorded.disconnect(receiver)
    assert told == [(event.id, True)]


@pytest.mark.parametrize(
    "write",
    [
        lambda event: event.save(),
        lambda event: event.delete(),
        lambda event: AuditEvent.objects.all().update(action="x"),
        lambda event: AuditEvent.objects.all().delete(),
        lambda event: AuditEvent.objects.filter(pk=event.pk).delete(),
        lambda event: AuditEvent.objects.create(id=99, action="x"),
        lambda event: AuditEvent.objects.bulk_create([AuditEvent(id=99)]),
        lambda event: AuditEvent.objects.bulk_update([event], ["action"]),
        lambda event: AuditEvent.objects.get_or_create(id=99),
        lambda event: AuditEvent.objects.update_or_create(id=event.pk, defaults={"action": "x"}),
        lambda event: AuditEvent._base_manager.update(action="x"),
        lambda event: AuditEvent(id=event.id, action="x").save(force_update=True),
    ],
)
def test_the_model_refuses_every_other_write(research: Team, write: Any) -> None:
    event = written(research, 1)[0]
    with pytest.raises(AppendOnly):
        write(event)
    assert AuditEvent.objects.get(pk=event.pk).action == "test.thing.update"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE audit_auditevent SET actor_name = 'somebody' WHERE id = {bad}", "content"),
        ("UPDATE audit_auditevent SET changes = '{{\"n\": [0, 9]}}' WHERE id = {bad}", "content"),
        ("UPDATE audit_auditevent SET at = '2020-01-01 00:00:00' WHERE id = {bad}", "content"),
        ("UPDATE audit_auditevent SET prev_hash = 'x' WHERE id = {bad}", "does not follow"),
        ("UPDATE audit_auditevent SET hash = 'x' WHERE id = {bad}", "content"),
        ("DELETE FROM audit_auditevent WHERE id = {bad}", "missing"),
        ("DELETE FROM audit_auditevent WHERE id >= {bad}", "cut off"),
    ],
)
def test_the_first_bad_event_is_named(research: Team, statement: str, told: str) -> None:
    bad = written(research, 6)[2].id
    sql(statement.format(bad=bad))
    verdict = trail.verify()
    assert (verdict.ok, verdict.bad) == (False, bad)
    assert told in verdict.reason


def test_two_events_that_changed_places_are_found(research: Team) -> None:
    first, second = written(research, 4)[1:3]
    for old, new in ((first.id, 10**6), (second.id, first.id), (10**6, second.id)):
        sql("UPDATE audit_auditevent SET id = %s WHERE id = %s", new, old)
    assert trail.verify().bad == first.id


def test_an_event_that_was_put_in_by_hand_is_found(research: Team) -> None:
    last = written(research, 2)[-1]
    forged = AuditEvent(**{field.attname: getattr(last, field.attname) for field in AuditEvent._meta.fields})
    forged.id, forged.prev_hash = last.id + 1, last.hash
    forged.hash = trail.chain_hash(forged)
    forged.append()
    verdict = trail.verify()
    assert (verdict.bad, verdict.reason) == (last.id + 1, "was added without the chain's head")


def test_a_chain_that_was_rewritten_as_a_whole_is_found_by_an_anchor(research: Team) -> None:
    written(research, 3)
    noted = trail.verify()
    event = AuditEvent.objects.get(pk=noted.length)
    event.actor_name = "somebody else"
    forged = trail.chain_hash(event)
    sql("UPDATE audit_auditevent SET actor_name = 'somebody else', hash = %s WHERE id = %s", forged, event.id)
    sql("UPDATE audit_chainhead SET hash = %s", forged)
    assert trail.verify().ok
    verdict = trail.verify(anchor=(noted.length, noted.hash))
    assert (verdict.bad, verdict.reason) == (noted.length, "differs from the anchor")
    assert trail.verify(anchor=(noted.length + 1, noted.hash)).bad == noted.length + 1


def test_without_its_head_the_trail_takes_no_more_events(research: Team) -> None:
    written(research, 1)
    sql("DELETE FROM audit_chainhead")
    with pytest.raises(trail.ChainBroken):
        written(research, 1)
    assert not trail.verify().ok


def test_the_command_prints_an_anchor_and_fails_on_a_broken_trail(research: Team, capsys: pytest.CaptureFixture[str]) -> None:
    bad = written(research, 3)[1].id
    call_command("verify_audit")
    anchor = capsys.readouterr().out.split("Anchor: ")[1].strip()
    call_command("verify_audit", anchor=anchor)
    sql("UPDATE audit_auditevent SET action = 'x' WHERE id = %s", bad)
    with pytest.raises(CommandError, match=f"broken at event {bad}:"):
        call_command("verify_audit")
    with pytest.raises(CommandError, match="LENGTH:HASH"):
        call_command("verify_audit", anchor="12")


def test_a_difference_names_what_changed_and_hides_what_is_secret() -> None:
    before = {"name": "a", "rpm": 5, "gone": 1, "password": "old", "limit": Decimal("1.50")}
    after = {"name": "b", "rpm": 5, "new": [1], "password": "new", "limit": Decimal("1.5")}
    assert trail.diff(before, after) == {"name": ["a", "b"], "gone": [1, None], "password": [HIDDEN, HIDDEN], "new": [None, [1]]}


@pytest.mark.parametrize("field", ["secret", "password", "api_key", "client_secret", "access_token", "credential", "private_key"])
def test_a_secret_never_enters_the_trail(research: Team, field: str) -> None:
    canary = "canary-7f3a"
    event = trail.record(
        actor=None, action="test.thing.update", target=research, changes={field: [None, canary]}, extra={"given": {field: canary}}
    )
    assert event.changes == {field: [None, HIDDEN]}
    assert canary not in str(AuditEvent.objects.filter(pk=event.pk).values().get())


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.datetimes() | st.timedeltas(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(_values)
def test_any_value_becomes_json_that_no_database_changes(value: Any) -> None:
    """No floats, which jsonb rewrites; no NUL and no lone surrogates, which PostgreSQL refuses; and plain stays plain."""
    once = plain(value)
    assert plain(once) == once
    _assert_plain(once)


def _assert_plain(value: Any) -> None:
    assert value is None or isinstance(value, bool | int | str | list | dict)
    if isinstance(value, str):
        assert "\x00" not in value
        assert value.encode().decode() == value
    for inner in value if isinstance(value, list) else [*value, *value.values()] if isinstance(value, dict) else ():
        _assert_plain(inner)

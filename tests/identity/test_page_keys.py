"""Keys that a page of the house makes for whoever looks at it: short, theirs, and good for the gateways only."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from config.applying.kinds.identity import Keys
from dataplane.snapshot import KeySection, decode_body
from identity import actions
from identity import compile as compiled
from identity.models import APIKey, User
from tests import factories

PLAYGROUND = APIKey.Purpose.PLAYGROUND


def published(key: APIKey) -> list[str]:
    body = compiled.compile_section(f"keys:{key.digest[:2]}")
    found = decode_body("keys:00", body) if body else KeySection()
    assert isinstance(found, KeySection)
    return [record.prefix for record in found.keys]


def test_it_carries_what_its_owner_may_do_for_minutes(owner: User) -> None:
    key, text = actions.issue_page_key(actor=owner, purpose=PLAYGROUND)
    assert (key.owner, key.purpose, key.name) == (owner, "playground", f"playground {key.prefix}")
    assert key.expires_at is not None
    assert timedelta(minutes=14) < key.expires_at - timezone.now() <= timedelta(minutes=15)
    assert text.startswith(f"ch_{key.prefix}_")
    assert key.prefix in published(key)
    event = AuditEvent.objects.get(action="identity.key.issue", target_id=str(key.pk))
    assert event.actor_name == "owner"


def test_another_one_ends_the_one_before_and_nobody_elses(owner: User, team_mate: User) -> None:
    own, _ = actions.issue_key(actor=owner, owner=owner, name="mine")
    mates, _ = actions.issue_page_key(actor=team_mate, purpose=PLAYGROUND)
    first, _ = actions.issue_page_key(actor=owner, purpose=PLAYGROUND)
    second, _ = actions.issue_page_key(actor=owner, purpose=PLAYGROUND)
    states = {key.pk: key.state for key in APIKey.objects.all()}
    assert states == {own.pk: "active", mates.pk: "active", first.pk: "revoked", second.pk: "active"}
    assert first.prefix not in published(first)


def test_leaving_a_page_ends_its_own_key_only(owner: User, team_mate: User) -> None:
    key, _ = actions.issue_page_key(actor=owner, purpose=PLAYGROUND)
    assert actions.end_page_keys(actor=team_mate, purpose=PLAYGROUND, prefix=key.prefix) == 0
    assert actions.end_page_keys(actor=owner, purpose=PLAYGROUND, prefix="zzzzzzzz") == 0
    assert APIKey.objects.get(pk=key.pk).state == "active"
    assert actions.end_page_keys(actor=owner, purpose=PLAYGROUND, prefix=key.prefix) == 1
    assert APIKey.objects.get(pk=key.pk).state == "revoked"


def test_it_does_not_open_the_management_api(admin: User) -> None:
    _, text = actions.issue_page_key(actor=admin, purpose=PLAYGROUND)
    _, own = factories.make_key(admin)
    client = Client()
    listed = client.get("/api/v1/keys/", headers={"Authorization": f"Bearer {own}"})
    assert sorted(row["purpose"] for row in listed.json()["results"]) == ["", "playground"]
    assert client.get("/api/v1/keys/", headers={"Authorization": f"Bearer {text}"}).status_code == 401


def test_it_is_neither_prolonged_nor_rotated(owner: User) -> None:
    key, _ = actions.issue_page_key(actor=owner, purpose=PLAYGROUND)
    with pytest.raises(ValidationError, match="make one of your own"):
        actions.update_key(actor=owner, key=key, expires_at=timezone.now() + timedelta(days=90))
    with pytest.raises(ValidationError, match="make one of your own"):
        actions.rotate_key(actor=owner, key=key, overlap=timedelta(hours=1))


def test_it_is_in_no_list_of_keys_to_keep(client: Client, owner: User) -> None:
    actions.issue_key(actor=owner, owner=owner, name="mine")
    key, _ = actions.issue_page_key(actor=owner, purpose=PLAYGROUND)
    client.force_login(owner)
    html = client.get("/keys/").content.decode()
    assert "mine" in html
    assert key.prefix not in html
    assert list(Keys().stored()) == ["owner/mine"]
    for query, shown in (("", False), ("?made_by=page", True), ("?made_by=any", True), (f"?q={key.prefix}", True)):
        assert (f"ch_{key.prefix}_" in client.get(f"/admin/identity/apikey/{query}").content.decode()) is shown


def test_who_may_not_come_in_gets_none(owner: User) -> None:
    actions.update_user(actor=None, user=owner, is_active=False)
    owner.refresh_from_db()
    with pytest.raises((PermissionDenied, ValidationError)):
        actions.issue_page_key(actor=owner, purpose=PLAYGROUND)


def test_a_key_agrees_to_cached_answers_and_its_successor_too(owner: User) -> None:
    key, _ = actions.issue_key(actor=owner, owner=owner, name="batch", use_cache=True)
    plain, _ = actions.issue_key(actor=owner, owner=owner, name="live")
    assert [_told(key), _told(plain)] == [True, False]
    successor, _ = actions.rotate_key(actor=owner, key=key, overlap=timedelta(hours=1))
    assert _told(successor) is True
    actions.update_key(actor=owner, key=successor, use_cache=False)
    assert _told(successor) is False
    change = AuditEvent.objects.get(action="identity.key.update").changes
    assert change == {"use_cache": [True, False]}


def _told(key: APIKey) -> bool:
    body = compiled.compile_section(f"keys:{key.digest[:2]}")
    assert body is not None
    found = decode_body("keys:00", body)
    assert isinstance(found, KeySection)
    return next(record.cache for record in found.keys if record.id == key.pk)


@pytest.mark.parametrize(("typed", "agrees"), [("", False), ("cached", True)])
def test_in_the_portal_a_key_is_asked_whether_cached_answers_will_do(client: Client, team_mate: User, typed: str, agrees: bool) -> None:
    client.force_login(team_mate)
    assert client.post("/keys/", {"name": "laptop", "lifetime": "90", "answers": typed}).status_code == 200
    assert APIKey.objects.get(name="laptop").use_cache is agrees

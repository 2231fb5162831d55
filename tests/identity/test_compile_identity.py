"""What identity publishes, and that a change republishes no more than it touches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from dataplane.snapshot import (
    GrantSection,
    KeyRecord,
    KeySection,
    LimitRecord,
    TeamRecord,
    TeamSection,
    decode_body,
    grant_shard,
    key_shard,
)
from identity import actions, keytext
from identity.compile import PREFIXES, all_sections, compile_section, sections_for
from identity.models import APIKey, Team, User
from tests import factories


def published_keys() -> dict[int, KeyRecord]:
    found: dict[int, KeyRecord] = {}
    for name in all_sections():
        if name.startswith("keys:") and (body := compile_section(name)) is not None:
            section = decode_body(name, body)
            assert isinstance(section, KeySection)
            assert {key_shard(key.digest) for key in section.keys} == {name}
            found |= {key.id: key for key in section.keys}
    return found


def published_teams() -> dict[str, TeamRecord]:
    body = compile_section("teams")
    assert body is not None
    section = decode_body("teams", body)
    assert isinstance(section, TeamSection)
    return {team.name: team for team in section.teams}


def published_grants(subject: str) -> tuple[str, ...]:
    body = compile_section(grant_shard(subject))
    if body is None:
        return ()
    section = decode_body(grant_shard(subject), body)
    assert isinstance(section, GrantSection)
    return section.grants.get(subject, ())


class Touched:
    """The sections that everything since its start may have altered."""

    def __init__(self) -> None:
        self.since = AuditEvent.objects.count()

    def sections(self) -> set[str]:
        return {name for event in AuditEvent.objects.filter(id__gt=self.since) for name in sections_for(event)}


def test_every_section_is_named_once_and_has_an_owner() -> None:
    names = list(all_sections())
    assert len(names) == len(set(names)) == 1 + 256 + 64
    assert all(name.startswith(PREFIXES) for name in names)


def test_a_key_is_published_with_its_owner_and_limits(research: Team) -> None:
    account = factories.make_service_account("ci", team=research)
    end = timezone.now() + timedelta(days=1)
    key, text = factories.make_key(account, name="build", rpm=5, expires_at=end)
    record = published_keys()[key.pk]
    assert record.digest == bytes.fromhex(keytext.digest_of(text))
    assert (record.name, record.prefix, record.ref, record.expires_at) == ("build", key.prefix, f"key:{key.pk}", end.timestamp())
    assert record.limits == LimitRecord(rpm=5)
    assert (record.principal.ref, record.principal.name, record.principal.kind) == (f"user:{account.pk}", "ci", "service_account")
    assert (record.principal.team, record.principal.staff) == (research.pk, False)
    unlimited, _ = factories.make_key(account)
    assert published_keys()[unlimited.pk].limits is None


def test_what_may_not_be_used_is_not_published(owner: User) -> None:
    keys = {name: factories.make_key(owner, name=name)[0] for name in ("live", "revoked", "expired", "rotated")}
    actions.revoke_key(actor=None, key=keys["revoked"])
    APIKey.objects.filter(pk=keys["expired"].pk).update(expires_at=timezone.now())
    new, _ = actions.rotate_key(actor=None, key=keys["rotated"], overlap=timedelta(hours=1))
    assert set(published_keys()) == {keys["live"].pk, keys["rotated"].pk, new.pk}
    actions.update_user(actor=None, user=owner, is_active=False)
    assert published_keys() == {}
    actions.update_user(actor=None, user=owner, is_active=True)
    assert len(published_keys()) == 3


def test_a_member_of_staff_is_published_as_such(owner: User, admin: User) -> None:
    keys = [factories.make_key(user)[0].pk for user in (owner, admin, factories.make_user())]
    published = published_keys()
    assert [published[pk].principal.staff for pk in keys] == [True, True, False]


def test_teams_are_published_with_their_path_and_limits(acme: Team, research: Team) -> None:
    deep = factories.make_team("vision", parent=research, tpm=1000, concurrency=3)
    teams = published_teams()
    assert teams["vision"].path == (deep.pk, research.pk, acme.pk)
    assert teams["vision"].limits == LimitRecord(tpm=1000, concurrency=3)
    assert (teams["acme"].path, teams["acme"].limits) == ((acme.pk,), None)


def test_nothing_is_published_of_an_empty_house(db: None) -> None:
    assert {name for name in all_sections() if compile_section(name) is not None} == set()


def test_direct_grants_are_published_by_subject(research: Team, owner: User) -> None:
    models = [factories.make_model(name) for name in ("b", "a", "c")]
    for model in models:
        actions.grant(actor=None, to=research, obj=model)
    actions.grant(actor=None, to=owner, obj=models[0])
    assert published_grants(f"team:{research.pk}") == ("model:a", "model:b", "model:c")
    assert published_grants(f"user:{owner.pk}") == ("model:b",)
    models[2].delete()
    assert published_grants(f"team:{research.pk}") == ("model:a", "model:b")


def test_a_changed_key_touches_its_own_shard_alone(owner: User) -> None:
    for _ in range(4):
        factories.make_key(owner)
    touched = Touched()
    key, _ = factories.make_key(owner)
    assert touched.sections() == {f"keys:{key.digest[:2]}"}
    touched = Touched()
    actions.update_key(actor=None, key=key, rpm=5)
    actions.revoke_key(actor=None, key=key)
    assert touched.sections() == {f"keys:{key.digest[:2]}"}
    other, _ = factories.make_key(owner)
    touched = Touched()
    new, _ = actions.rotate_key(actor=None, key=other, overlap=timedelta(0))
    assert touched.sections() == {f"keys:{other.digest[:2]}", f"keys:{new.digest[:2]}"}


def test_a_changed_user_touches_the_shards_of_their_live_keys(owner: User, team_mate: User, sales: Team) -> None:
    keys = [factories.make_key(owner)[0] for _ in range(3)]
    factories.make_key(team_mate)
    actions.revoke_key(actor=None, key=keys.pop())
    touched = Touched()
    actions.update_user(actor=None, user=owner, team=sales)
    assert touched.sections() == {f"keys:{key.digest[:2]}" for key in keys}


def test_a_changed_team_touches_the_teams(research: Team, sales: Team, owner: User) -> None:
    factories.make_key(owner)
    touched = Touched()
    actions.update_team(actor=None, team=research, rpm=5)
    actions.move_team(actor=None, team=research, parent=sales)
    assert touched.sections() == {"teams"}


def test_a_grant_touches_the_shard_of_its_subject(research: Team, owner: User) -> None:
    model = factories.make_model()
    touched = Touched()
    actions.grant(actor=None, to=research, obj=model)
    assert touched.sections() == {grant_shard(f"team:{research.pk}")}
    touched = Touched()
    actions.grant(actor=None, to=owner, obj=model)
    actions.withdraw(actor=None, to=owner, obj=model)
    assert touched.sections() == {grant_shard(f"user:{owner.pk}")}


def test_a_change_of_a_granted_thing_touches_those_who_hold_it(research: Team, owner: User) -> None:
    model, other = factories.make_model(), factories.make_model()
    for subject in (research, owner):
        actions.grant(actor=None, to=subject, obj=model)
    shards = {grant_shard(f"team:{research.pk}"), grant_shard(f"user:{owner.pk}")}
    event = AuditEvent(action="llmgateway.model.delete", target_type="llmgateway.model", target_id=str(model.pk), changes={}, extra={})
    assert sections_for(event) == shards
    event.target_id = str(other.pk)
    assert sections_for(event) == set()


@pytest.mark.parametrize("target", ["gone.app", "nonsense", "", "auth.group"])
def test_an_event_about_something_else_touches_nothing(db: None, target: str) -> None:
    assert sections_for(AuditEvent(action="x.y.z", target_type=target, target_id="1", changes={}, extra={})) == set()


def test_a_shard_is_compiled_with_a_bounded_number_of_queries(research: Team, django_assert_max_num_queries: Any) -> None:
    for _ in range(5):
        factories.make_key()
        actions.grant(actor=None, to=research, obj=factories.make_model())
    with django_assert_max_num_queries(1):
        compile_section("keys:00")
    with django_assert_max_num_queries(1):
        compile_section("teams")
    with django_assert_max_num_queries(7):
        compile_section(grant_shard(f"team:{research.pk}"))

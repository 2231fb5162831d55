from __future__ import annotations

import hmac
import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import AuditEvent
from identity import actions, keytext
from identity.models import APIKey, Team, User
from tests import factories

CHOSEN = "ch_tour0001_0123456789abcdefghij"


def state_of(key: APIKey) -> str:
    return APIKey.objects.get(pk=key.pk).state


def test_a_made_key_has_the_shape_and_at_least_32_random_characters(owner: User) -> None:
    keys = [actions.issue_key(actor=owner, owner=owner, name=f"k{n}")[1] for n in range(5)]
    assert all(re.fullmatch(r"ch_[a-z0-9]{8}_[A-Za-z0-9]{32,}", text) for text in keys)
    assert len(set(keys)) == 5


def test_only_the_peppered_digest_of_a_key_is_kept_anywhere(owner: User) -> None:
    key, text = actions.issue_key(actor=owner, owner=owner, name="ci", rpm=5)
    assert key.digest == hmac.digest(settings.CUSTOMHOUSE.key_pepper, text.encode(), "sha256").hex()
    assert text.startswith(f"ch_{key.prefix}_")
    secret = text.rpartition("_")[2]
    stored = str(list(APIKey.objects.values())) + str(list(AuditEvent.objects.values()))
    assert secret not in stored
    assert key.digest not in str(list(AuditEvent.objects.values()))


def test_issuing_is_audited_with_its_limits_and_owner(owner: User) -> None:
    key, _ = actions.issue_key(actor=owner, owner=owner, name="ci", rpm=5)
    event = AuditEvent.objects.first()
    assert event is not None
    assert (event.action, event.target_id) == ("identity.key.issue", str(key.pk))
    assert event.changes == {"name": [None, "ci"], "owner": [None, "owner"], "rpm": [None, 5]}
    assert event.extra == {"section": f"keys:{key.digest[:2]}"}


def test_a_given_secret_becomes_the_key(owner: User) -> None:
    key, text = actions.issue_key(actor=None, owner=owner, name="tour", secret=CHOSEN)
    assert (text, key.prefix, key.digest) == (CHOSEN, "tour0001", keytext.digest_of(CHOSEN))


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "swordfish",
        "sk-0123456789abcdef0123456789abcdef",
        "ch_SHORT000_0123456789abcdefghij",
        "ch_short_0123456789abcdefghij",
        "ch_tour0001_tooshort",
        "ch_tour0001_with spaces in it, and long",
        "ch_tour0001_ümlaut0123456789abcdef",
        "ch_tour0001_0123456789abcdefghij\n",
        f"ch_tour0001_{'x' * 201}",
    ],
)
def test_a_given_secret_of_another_shape_is_refused_with_the_shape_and_not_repeated(owner: User, secret: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        actions.issue_key(actor=None, owner=owner, name="tour", secret=secret)
    told = refusal.value.message_dict["secret"][0]
    assert "ch_<8 lower-case letters or digits>_<secret of 20 characters or more>" in told
    assert secret == "" or secret not in told
    assert not APIKey.objects.exists()


def test_the_same_secret_is_not_issued_twice(owner: User, stranger: User) -> None:
    actions.issue_key(actor=None, owner=owner, name="tour", secret=CHOSEN)
    for secret in (CHOSEN, CHOSEN[:12] + "another-secret-of-20-characters"):
        with pytest.raises(ValidationError, match="exists already"):
            actions.issue_key(actor=None, owner=stranger, name="tour", secret=secret)


def test_a_name_is_used_by_one_current_key_of_an_owner(owner: User, team_mate: User) -> None:
    key, _ = actions.issue_key(actor=owner, owner=owner, name="ci")
    actions.issue_key(actor=team_mate, owner=team_mate, name="ci")
    with pytest.raises(ValidationError, match="of that name"):
        actions.issue_key(actor=owner, owner=owner, name="ci")
    with pytest.raises(IntegrityError), transaction.atomic():
        APIKey.objects.create(owner=owner, name="ci", prefix="aaaaaaaa", digest="0" * 64)
    actions.revoke_key(actor=owner, key=key)
    actions.issue_key(actor=owner, owner=owner, name="ci")


@pytest.mark.parametrize("values", [{"name": ""}, {"rpm": 0}, {"expires_at": timezone.now() - timedelta(days=1)}, {"digest": "0" * 64}])
def test_bad_values_are_refused(owner: User, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        actions.issue_key(actor=owner, **{"owner": owner, "name": "ci", **values})
    assert not APIKey.objects.exists()


def test_an_inactive_account_gets_no_key(owner: User) -> None:
    actions.update_user(actor=None, user=owner, is_active=False)
    with pytest.raises(ValidationError, match="not active"):
        actions.issue_key(actor=None, owner=owner, name="ci")


def test_rotation_makes_a_successor_and_lets_both_work_for_the_overlap(owner: User) -> None:
    old, old_text = actions.issue_key(actor=owner, owner=owner, name="ci", rpm=5, concurrency=2)
    before = timezone.now()
    new, new_text = actions.rotate_key(actor=owner, key=old, overlap=timedelta(hours=2))
    old.refresh_from_db()
    assert new_text != old_text
    assert (new.name, new.owner, new.rpm, new.tpm, new.concurrency, new.expires_at) == ("ci", owner, 5, None, 2, None)
    assert old.expires_at is not None
    assert before + timedelta(hours=2) <= old.expires_at <= timezone.now() + timedelta(hours=2)
    assert (old.state, new.state, old.replaced_by) == ("rotated", "active", new)
    assert [event.action for event in AuditEvent.objects.all()[:2]] == ["identity.key.rotate", "identity.key.issue"]


def test_rotation_without_overlap_ends_the_old_key_now(owner: User) -> None:
    old, _ = actions.issue_key(actor=owner, owner=owner, name="ci")
    actions.rotate_key(actor=owner, key=old, overlap=timedelta(0))
    assert state_of(old) == "expired"


def test_the_overlap_never_outlives_the_old_keys_own_end_and_its_lifetime_carries_over(owner: User) -> None:
    end = timezone.now() + timedelta(hours=1)
    old, _ = actions.issue_key(actor=owner, owner=owner, name="ci", expires_at=end)
    new, _ = actions.rotate_key(actor=owner, key=old, overlap=timedelta(days=1))
    old.refresh_from_db()
    assert old.expires_at == end
    assert new.expires_at is not None
    assert timedelta(minutes=59) < new.expires_at - timezone.now() <= timedelta(hours=1, seconds=5)
    chosen = timezone.now() + timedelta(days=7)
    third, _ = actions.rotate_key(actor=owner, key=new, overlap=timedelta(0), expires_at=chosen)
    assert third.expires_at == chosen


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=91)])
def test_an_overlap_out_of_bounds_is_refused_and_changes_nothing(owner: User, overlap: timedelta) -> None:
    key, _ = actions.issue_key(actor=owner, owner=owner, name="ci")
    with pytest.raises(ValidationError, match="overlap"):
        actions.rotate_key(actor=owner, key=key, overlap=overlap)
    assert state_of(key) == "active"
    assert APIKey.objects.count() == 1


def test_only_an_active_key_is_rotated(owner: User) -> None:
    rotated, _ = actions.issue_key(actor=owner, owner=owner, name="a")
    actions.rotate_key(actor=owner, key=rotated, overlap=timedelta(hours=1))
    revoked, _ = actions.issue_key(actor=owner, owner=owner, name="b")
    actions.revoke_key(actor=owner, key=revoked)
    for key, state in ((rotated, "rotated"), (revoked, "revoked")):
        with pytest.raises(ValidationError, match=state):
            actions.rotate_key(actor=owner, key=key, overlap=timedelta(0))


def test_revoking_is_final_and_audited_once(owner: User) -> None:
    key, _ = actions.issue_key(actor=owner, owner=owner, name="ci")
    first = actions.revoke_key(actor=owner, key=key, reason="leaked").revoked_at
    assert actions.revoke_key(actor=None, key=APIKey.objects.get(pk=key.pk)).revoked_at == first
    events = AuditEvent.objects.filter(action="identity.key.revoke")
    assert [event.extra["reason"] for event in events] == ["leaked"]
    with pytest.raises(ValidationError, match="revoked"):
        actions.update_key(actor=owner, key=key, rpm=5)


def test_a_keys_name_limits_and_end_can_change_and_a_rotated_keys_end_can_not(owner: User) -> None:
    key, _ = actions.issue_key(actor=owner, owner=owner, name="ci")
    end = timezone.now() + timedelta(days=1)
    actions.update_key(actor=owner, key=key, name="build", rpm=9, expires_at=end)
    key.refresh_from_db()
    assert (key.name, key.rpm, key.expires_at) == ("build", 9, end)
    with pytest.raises(ValidationError, match="past"):
        actions.update_key(actor=owner, key=key, expires_at=timezone.now())
    actions.rotate_key(actor=owner, key=key, overlap=timedelta(hours=1))
    key.refresh_from_db()
    with pytest.raises(ValidationError, match="rotated"):
        actions.update_key(actor=owner, key=key, expires_at=None)
    with pytest.raises(ValidationError, match="owner"):
        actions.update_key(actor=owner, key=key, owner=owner)


def test_a_key_is_made_for_oneself_and_for_programs_and_members_of_the_own_teams(owner: User, research: Team) -> None:
    below = factories.make_team(parent=research)
    for account in (owner, factories.make_user(team=research), factories.make_service_account(team=below)):
        key, _ = actions.issue_key(actor=owner, owner=account, name="ci")
        new, _ = actions.rotate_key(actor=owner, key=key, overlap=timedelta(0))
        actions.revoke_key(actor=owner, key=new)


def test_a_key_never_carries_more_than_its_maker_has(owner: User, team_mate: User, stranger: User, admin: User, research: Team) -> None:
    local_root = factories.make_user(team=research, is_superuser=True)
    foreign = factories.make_service_account(team=stranger.team)
    for account in (team_mate, stranger, admin, local_root, foreign):
        key, _ = factories.make_key(account)
        for refused in (
            lambda account=account: actions.issue_key(actor=owner, owner=account, name="mine"),
            lambda key=key: actions.rotate_key(actor=owner, key=key, overlap=timedelta(0)),
            lambda key=key: actions.update_key(actor=owner, key=key, rpm=5),
        ):
            with pytest.raises(PermissionDenied):
                refused()
        assert state_of(key) == "active"
    for account in (stranger, admin, local_root, foreign):
        with pytest.raises(PermissionDenied):
            actions.revoke_key(actor=owner, key=account.api_keys.get())


def test_a_deactivated_actor_makes_no_key(owner: User) -> None:
    actions.update_user(actor=None, user=owner, is_active=False)
    other = factories.make_service_account(team=owner.team)
    with pytest.raises(PermissionDenied):
        actions.issue_key(actor=User.objects.get(pk=owner.pk), owner=other, name="ci")


def test_the_last_use_only_moves_forward(owner: User) -> None:
    key, _ = factories.make_key(owner)
    now = timezone.now()
    for at in (now, now - timedelta(hours=1)):
        actions.mark_keys_used({key.pk: at, 10**9: at})
    key.refresh_from_db()
    assert key.last_used_at == now

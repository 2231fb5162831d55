"""From a committed change to what a data plane reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from config import compilers
from config.models import FailedSection, Publication, PublishedSection
from config.poller import Poller
from config.publish import publish_beyond, publish_everything, publish_pending, published_version
from config.push import Feed
from dataplane.principal import digest
from dataplane.store import Store
from identity import actions
from identity.models import Team, User

Committed = Callable[..., Any]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def feed(store: Store) -> Feed:
    return Feed(store, before=lambda: None)


def names_since(version: int) -> set[str]:
    return set(PublishedSection.objects.filter(version__gt=version).values_list("name", flat=True))


def holds_key(store: Store, text: str, settings: Any) -> bool:
    return store.current.key(digest(settings.CUSTOMHOUSE.key_pepper, text)) is not None


def test_a_committed_change_is_published_at_once(
    owner: User, settings: Any, store: Store, feed: Feed, django_capture_on_commit_callbacks: Committed
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        _, text = actions.issue_key(actor=None, owner=owner, name="live")
    feed()
    assert holds_key(store, text, settings)


def test_only_the_touched_section_is_published_anew(owner: User, django_capture_on_commit_callbacks: Committed) -> None:
    publish_everything()
    before = published_version()
    with django_capture_on_commit_callbacks(execute=True):
        key, _ = actions.issue_key(actor=None, owner=owner, name="one")
    assert names_since(before) == {f"keys:{key.digest[:2]}"}


def test_many_changes_of_one_transaction_are_one_publication(owner: User, django_capture_on_commit_callbacks: Committed) -> None:
    publish_everything()
    before = published_version()
    with django_capture_on_commit_callbacks(execute=True):
        for number in range(20):
            actions.issue_key(actor=None, owner=owner, name=f"key-{number}")
    assert published_version() == before + 1


def test_a_change_by_a_process_that_does_not_publish_is_found_by_the_poller(owner: User, settings: Any, store: Store, feed: Feed) -> None:
    """Inside a test's transaction nothing is called on commit, as if another process had committed."""
    publish_everything()
    poller = Poller(feed)
    _, text = actions.issue_key(actor=None, owner=owner, name="elsewhere")
    poller.turn()
    assert holds_key(store, text, settings)


def test_a_revoked_key_is_gone_with_the_next_publication(owner: User, settings: Any, store: Store, feed: Feed) -> None:
    key, text = actions.issue_key(actor=None, owner=owner, name="short")
    publish_pending()
    feed()
    assert holds_key(store, text, settings)
    actions.revoke_key(actor=None, key=key)
    publish_pending()
    feed()
    assert not holds_key(store, text, settings)


def test_a_section_without_content_stays_known_as_gone(owner: User) -> None:
    key, _ = actions.issue_key(actor=None, owner=owner, name="only")
    publish_pending()
    actions.revoke_key(actor=None, key=key)
    publish_pending()
    section = PublishedSection.objects.get(name=f"keys:{key.digest[:2]}")
    assert bytes(section.body) == b""
    assert publish_everything() is None


def test_publishing_again_without_a_change_gives_out_no_version(owner: User) -> None:
    actions.issue_key(actor=None, owner=owner, name="one")
    first = publish_pending()
    assert first is not None
    assert publish_pending() is None
    assert publish_everything() is None
    assert published_version() == first


class Breaking:
    """A compiler whose section fails until it is mended."""

    PREFIXES = ("breaking",)

    def __init__(self) -> None:
        self.broken = True

    def sections_for(self, event: Any) -> set[str]:
        return {"breaking"}

    def all_sections(self) -> Iterable[str]:
        return ("breaking",)

    def compile_section(self, name: str) -> bytes | None:
        if self.broken:
            raise RuntimeError("the row makes no sense")
        return b"\x80"


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    breaking = Breaking()
    everyone = (breaking, *compilers.compilers())
    monkeypatch.setattr(compilers, "compilers", lambda: everyone)
    return breaking


def test_a_section_that_does_not_compile_holds_up_no_other(owner: User, breaking: Breaking) -> None:
    key, _ = actions.issue_key(actor=None, owner=owner, name="one")
    assert publish_pending() is not None
    assert PublishedSection.objects.filter(name=f"keys:{key.digest[:2]}").exists()
    failed = FailedSection.objects.get()
    assert (failed.name, failed.error) == ("breaking", "RuntimeError: the row makes no sense")


def test_a_failed_section_is_tried_again_and_then_published(owner: User, breaking: Breaking) -> None:
    actions.issue_key(actor=None, owner=owner, name="one")
    publish_pending()
    breaking.broken = False
    assert publish_pending() is None  # not before its time
    FailedSection.objects.update(retry_at=timezone.now() - timedelta(seconds=1))
    assert publish_pending() is not None
    assert PublishedSection.objects.filter(name="breaking").exists()
    assert not FailedSection.objects.exists()


def test_a_failed_section_keeps_its_last_good_version(owner: User, breaking: Breaking) -> None:
    breaking.broken = False
    publish_everything()
    breaking.broken = True
    actions.issue_key(actor=None, owner=owner, name="one")
    publish_pending()
    assert bytes(PublishedSection.objects.get(name="breaking").body) == b"\x80"


def test_the_admin_shows_what_does_not_compile(client: Client, admin: User, breaking: Breaking) -> None:
    publish_everything()
    client.force_login(admin)
    page = client.get("/admin/config/failedsection/").content.decode()
    assert "breaking" in page
    assert "the row makes no sense" in page
    assert client.post("/admin/config/failedsection/add/").status_code == 403


def test_after_a_backup_was_restored_followers_are_overtaken(acme: Team) -> None:
    publish_everything()
    publish_beyond(1000)
    assert published_version() == 1001
    assert set(PublishedSection.objects.values_list("version", flat=True)) == {1001}


def test_another_schema_publishes_everything_anew(acme: Team) -> None:
    publish_everything()
    before = published_version()
    Publication.objects.update(schema=0)
    PublishedSection.objects.update(schema=0)
    assert publish_pending() == before + 1
    assert names_since(before) == set(PublishedSection.objects.values_list("name", flat=True))


def test_a_follower_that_fails_does_not_fail_the_change(
    owner: User, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Committed
) -> None:
    called = []

    def fails() -> None:
        called.append(True)
        raise ConnectionError("Redis is away")

    monkeypatch.setattr("config.publish._followers", [fails])
    with django_capture_on_commit_callbacks(execute=True):
        actions.issue_key(actor=None, owner=owner, name="one")
    assert called == [True]


def test_one_failing_step_of_the_poller_does_not_keep_the_others_from_running(acme: Team) -> None:
    ran: list[str] = []
    poller = Poller(lambda: ran.append("first"), lambda: 1 // 0, lambda: ran.append("last"))
    poller.turn()
    poller.turn()
    assert ran == ["first", "last"] * 2


def test_every_section_has_exactly_one_compiler(acme: Team) -> None:
    for name in compilers.every_section():
        owners = [
            compiler
            for compiler in compilers.compilers()
            if any(name == prefix or (prefix.endswith(":") and name.startswith(prefix)) for prefix in compiler.PREFIXES)
        ]
        assert len(owners) == 1, name


def test_a_section_of_nobody_is_an_error() -> None:
    with pytest.raises(LookupError, match="nobodys"):
        compilers.compile_section("nobodys:thing")


def test_the_budget_is_known_before_its_section_is_fed(research: Team, store: Store) -> None:
    from usage.actions import set_budget

    seen: list[SimpleNamespace] = []
    feed = Feed(store, before=lambda: seen.append(SimpleNamespace(budgets=store.current.budgets)))
    publish_everything()
    feed()
    set_budget(actor=None, subject=research, limit="5")
    publish_pending()
    feed()
    assert seen[-1].budgets == ()
    assert [budget.limit for budget in store.current.budgets] == [5_000_000_000]

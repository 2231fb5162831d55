"""Publication over Redis: what a gateway's subscriber takes, after whatever happened to Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from config.models import PublishedSection
from config.publish import _followers, follow, publish_everything, publish_pending, published_version
from config.push import Feed, push_to_redis
from dataplane.principal import digest
from dataplane.snapshot import KeyRecord, KeySection, PrincipalRecord, Section, ServerRecord, TeamSection, encode, key_shard
from dataplane.store import Store
from dataplane.subscribe import INDEX, SECTIONS, VERSION, Subscriber
from identity import actions
from identity.models import User
from tests.config.houses import wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(path=tmp_path / "snapshot.msgpack")


@pytest.fixture
def subscriber(store: Store, redis_url: str) -> Subscriber:
    return Subscriber(store, url=redis_url)


def push(client: Redis) -> int:
    return push_to_redis(client, before=lambda: None)


def issue(owner: User, name: str, settings: Any) -> bytes:
    """The digest of a new, published key."""
    _, text = actions.issue_key(actor=None, owner=owner, name=name)
    publish_pending()
    return digest(settings.CUSTOMHOUSE.key_pepper, text)


def test_what_is_pushed_is_what_a_gateway_serves(owner: User, client: Redis, store: Store, subscriber: Subscriber, settings: Any) -> None:
    found = issue(owner, "one", settings)
    assert push(client) == published_version()
    subscriber.catch_up()
    assert store.current.key(found) is not None
    assert store.current.version == published_version()


def test_only_newer_sections_travel(owner: User, client: Redis, subscriber: Subscriber, settings: Any) -> None:
    publish_everything()
    push(client)
    subscriber.catch_up()
    issue(owner, "one", settings)
    push(client)
    assert subscriber.catch_up() == 1


def test_a_redis_that_lost_everything_gets_everything_again(owner: User, client: Redis, store: Store, settings: Any) -> None:
    found = issue(owner, "one", settings)
    push(client)
    client.flushdb()
    push(client)
    fresh = Store()
    Subscriber(fresh, url=_url(client)).catch_up()
    assert fresh.current.key(found) is not None


def test_a_redis_that_came_back_with_an_old_copy_is_brought_up_to_date(owner: User, client: Redis, settings: Any) -> None:
    issue(owner, "one", settings)
    push(client)
    old = {name: client.dump(name) for name in (SECTIONS, INDEX, VERSION)}
    found = issue(owner, "two", settings)
    push(client)
    for name, value in old.items():
        client.restore(name, 0, value, replace=True)  # type: ignore[arg-type]
    push(client)
    fresh = Store()
    Subscriber(fresh, url=_url(client)).catch_up()
    assert fresh.current.key(found) is not None


def test_an_emptied_redis_takes_nothing_away(owner: User, client: Redis, store: Store, subscriber: Subscriber, settings: Any) -> None:
    found = issue(owner, "one", settings)
    push(client)
    subscriber.catch_up()
    client.flushdb()
    assert subscriber.catch_up() == 0
    assert store.current.key(found) is not None


def test_a_database_restored_from_a_backup_overtakes_what_gateways_have(
    owner: User, client: Redis, store: Store, subscriber: Subscriber, settings: Any
) -> None:
    revoked, text = actions.issue_key(actor=None, owner=owner, name="gone")
    publish_pending()
    push(client)
    subscriber.catch_up()
    client.set(VERSION, 5000)  # what gateways heard of before the backup was restored
    assert push(client) == 5001
    actions.revoke_key(actor=None, key=revoked)
    publish_pending()
    push(client)
    subscriber.catch_up()
    assert store.current.key(digest(settings.CUSTOMHOUSE.key_pepper, text)) is None


def test_the_last_good_copy_serves_after_a_restart_without_redis(
    owner: User, client: Redis, store: Store, subscriber: Subscriber, settings: Any, tmp_path: Path
) -> None:
    found = issue(owner, "one", settings)
    push(client)
    subscriber.catch_up()
    restarted = Store(path=tmp_path / "snapshot.msgpack")
    assert restarted.load()
    assert restarted.current.key(found) is not None


def test_a_section_that_can_not_be_read_does_not_stop_the_others(
    owner: User, client: Redis, store: Store, subscriber: Subscriber, settings: Any
) -> None:
    found = issue(owner, "one", settings)
    push(client)
    client.hset(SECTIONS, "teams", b"\xff\xff nonsense")
    subscriber.catch_up()
    assert store.current.key(found) is not None


def test_the_budgets_are_seeded_before_they_are_pushed(owner: User, client: Redis) -> None:
    from usage.actions import set_budget

    publish_everything()
    push(client)
    seen: list[bool] = []
    set_budget(actor=None, subject=owner, limit="1")
    publish_pending()
    newest = PublishedSection.objects.get(name="budgets").version
    push_to_redis(client, before=lambda: seen.append(int(client.get(VERSION) or 0) < newest))  # type: ignore[arg-type]
    push_to_redis(client, before=lambda: seen.append(False))
    assert seen == [True]


async def test_a_subscriber_hears_at_once_and_finds_back_after_an_outage(redis_url: str, tmp_path: Path) -> None:
    """Without a database: sections are put into Redis by hand."""
    from dataplane.snapshot import Section, TeamRecord, TeamSection, encode

    store = Store()
    subscriber = Subscriber(store, url=redis_url)
    client = Redis.from_url(redis_url)

    def put(version: int) -> None:
        body = encode(TeamSection(teams=(TeamRecord(id=version, name="t", path=(version,)),)))
        with client.pipeline() as pipe:
            pipe.hset(SECTIONS, "teams", encode(Section(name="teams", version=version, body=body)))  # type: ignore[arg-type]
            pipe.zadd(INDEX, {"teams": version})
            pipe.set(VERSION, version)
            pipe.publish("ch:snapshot", version)
            pipe.execute()

    put(1)
    await subscriber.start()
    try:
        wait_for(lambda: store.current.teams.keys() == {1}, within=5)
        put(2)
        wait_for(lambda: store.current.teams.keys() == {2}, within=1)
        assert subscriber.reachable
        for connection in client.client_list(_type="pubsub"):
            client.client_kill(connection["addr"])
        put(3)
        wait_for(lambda: store.current.teams.keys() == {3}, within=5)
    finally:
        await subscriber.close()
        client.close()


def _url(client: Redis) -> str:
    options = client.connection_pool.connection_kwargs
    return f"redis://{options['host']}:{options['port']}/{options['db']}"


def of_another_history(store: Store, version: int) -> bytes:
    """What a gateway holds from before its database was renewed: a key and a server that nobody knows any more."""
    found = digest(b"pepper", "ch_00000001_of another history")
    who = PrincipalRecord(ref="user:1", name="gone", kind="person")
    keys = KeySection(keys=(KeyRecord(id=1, name="gone", prefix="00000001", digest=found, principal=who),))
    server = ServerRecord(id=1, slug="gone", name="gone", url="http://gone.example/")
    sections = {key_shard(found): keys, "mcp:gone": server, "teams": TeamSection()}
    store.apply([Section(name=name, version=version, body=encode(body)) for name, body in sections.items()])
    return found


@pytest.mark.parametrize("redis_was_emptied", [True, False])
def test_a_gateway_that_is_ahead_of_a_renewed_database_comes_to_serve_what_that_says(
    redis_was_emptied: bool, owner: User, client: Redis, store: Store, subscriber: Subscriber, settings: Any
) -> None:
    gone = of_another_history(store, 5000)
    if not redis_was_emptied:
        client.hset(SECTIONS, "mcp:gone", encode(Section(name="mcp:gone", version=5000, body=b"")))
        client.zadd(INDEX, {"mcp:gone": 5000})
        client.set(VERSION, 5000)
    found = issue(owner, "one", settings)
    for _ in range(2):
        push(client)
        subscriber.catch_up()

    assert store.current.key(gone) is None
    assert store.current.key(found) is not None
    assert "gone" not in store.current.mcp
    assert client.zscore(INDEX, "mcp:gone") is None
    later = issue(owner, "two", settings)
    push(client)
    subscriber.catch_up()
    assert store.current.key(later) is not None


def test_a_redis_with_an_old_copy_takes_nothing_away_while_the_database_is_away(
    owner: User, client: Redis, store: Store, subscriber: Subscriber, settings: Any
) -> None:
    push(client)
    issue(owner, "one", settings)
    old = client.dump(SECTIONS), client.dump(INDEX), client.get(VERSION)
    found = issue(owner, "two", settings)
    push(client)
    subscriber.catch_up()
    client.flushdb()
    for name, value in zip((SECTIONS, INDEX), old, strict=False):
        if value is not None:
            client.restore(name, 0, value)
    client.set(VERSION, 1)
    subscriber.catch_up()
    assert store.current.key(found) is not None


def test_the_all_in_one_with_a_renewed_database_serves_what_that_says(owner: User, store: Store, settings: Any) -> None:
    gone = of_another_history(store, 5000)
    found = issue(owner, "one", settings)
    feed = Feed(store, before=lambda: None)
    follow(feed)
    try:
        feed()
        assert store.current.key(gone) is None
        assert store.current.key(found) is not None
        assert store.current.mcp == {}
        later = issue(owner, "two", settings)
        assert store.current.key(later) is not None
    finally:
        _followers.remove(feed)

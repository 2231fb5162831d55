"""The snapshot store: one consistent view, swapped at once, and the last good one on disk."""

from __future__ import annotations

from pathlib import Path

from dataplane.principal import digest
from dataplane.snapshot import (
    GrantSection,
    KeyRecord,
    KeySection,
    LlmSection,
    ModelRecord,
    PrincipalRecord,
    Record,
    Section,
    TeamRecord,
    TeamSection,
    encode,
    grant_shard,
    key_shard,
)
from dataplane.store import Snapshot, Store

PEPPER = b"p" * 32


def section(name: str, version: int, body: Record | None) -> Section:
    return Section(name=name, version=version, body=b"" if body is None else encode(body))


def a_key(number: int, *, team: int | None = 2) -> KeyRecord:
    principal = PrincipalRecord(ref=f"user:{number}", name=f"u{number}", kind="person", team=team)
    return KeyRecord(id=number, name="k", prefix="abcdefgh", digest=digest(PEPPER, f"ch_abcdefgh_{number}"), principal=principal)


def granted(subject: str, *resources: str) -> Section:
    return section(grant_shard(subject), 1, GrantSection(grants={subject: resources}))


def keys(version: int, *records: KeyRecord) -> list[Section]:
    return [section(key_shard(record.digest), version, KeySection(keys=(record,))) for record in records]


def test_a_key_is_found_by_its_digest_and_gone_with_its_section() -> None:
    store, key = Store(), a_key(1)
    store.apply(keys(1, key))
    assert store.current.key(key.digest) == key
    store.apply([section(key_shard(key.digest), 2, None)])
    assert store.current.key(key.digest) is None


def test_a_change_shares_what_did_not_change_and_leaves_readers_their_view() -> None:
    store, one, two = Store(), a_key(1), a_key(2)
    assert key_shard(one.digest) != key_shard(two.digest)
    store.apply(keys(1, one, two))
    before = store.current
    store.apply([section(key_shard(one.digest), 2, None)])
    assert before.key(one.digest) == one
    assert store.current.keys[two.digest[0]] is before.keys[two.digest[0]]


def test_an_older_version_never_replaces_a_newer_one() -> None:
    store, key = Store(), a_key(1)
    store.apply([section(key_shard(key.digest), 5, None)])
    assert store.apply(keys(4, key)) == 0
    assert store.current.key(key.digest) is None


def test_what_can_not_be_read_leaves_the_last_good_one_serving() -> None:
    store, key = Store(), a_key(1)
    store.apply(keys(1, key))
    name = key_shard(key.digest)
    bad = [Section(name=name, version=2, body=b"\xc1"), Section(name=name, version=3, body=b"", schema=99)]
    bad += [Section(name="nonsense:1", version=4, body=b"\x80"), Section(name="keys:zz", version=5, body=encode(KeySection()))]
    assert store.apply(bad) == 0
    assert store.current.key(key.digest) == key


def test_grants_are_inherited_from_every_ancestor_and_from_nobody_else() -> None:
    store = Store()
    teams = TeamSection(teams=(TeamRecord(id=1, name="acme", path=(1,)), TeamRecord(id=2, name="research", path=(2, 1))))
    sections = [section("teams", 1, teams), granted("user:7", "model:own"), granted("team:1", "model:everyone")]
    by_shard: dict[str, dict[str, tuple[str, ...]]] = {}
    for subject, resource in (("user:7", "model:own"), ("team:1", "model:everyone"), ("team:2", "model:team"), ("team:3", "model:other")):
        by_shard.setdefault(grant_shard(subject), {})[subject] = (resource,)
    sections = [sections[0], *(section(name, 1, GrantSection(grants=grants)) for name, grants in by_shard.items())]
    store.apply(sections)
    assert store.current.allowed(a_key(7)) == {"model:own", "model:team", "model:everyone"}
    assert store.current.allowed(a_key(7, team=1)) == {"model:own", "model:everyone"}
    assert store.current.allowed(a_key(8, team=None)) == frozenset()


def test_a_withdrawn_grant_is_gone_with_the_next_snapshot() -> None:
    store = Store()
    store.apply([granted("user:7", "model:own")])
    assert store.current.allowed(a_key(7)) == {"model:own"}
    store.apply([section(grant_shard("user:7"), 2, GrantSection())])
    assert store.current.allowed(a_key(7)) == frozenset()


def test_a_view_is_built_once_and_lives_as_long_as_its_section() -> None:
    store, built = Store(), []

    def build(source: object) -> object:
        built.append(source)
        return object()

    store.apply([section("llm", 1, LlmSection(models=(ModelRecord(id=1, name="m", deployments=()),)))])
    first = store.current.view(store.current.llm, build)
    store.apply([section("teams", 1, TeamSection())])
    assert store.current.view(store.current.llm, build) is first
    store.apply([section("llm", 2, LlmSection())])
    assert store.current.view(store.current.llm, build) is not first
    assert len(built) == 2


def test_listeners_hear_of_each_change_and_of_nothing_else() -> None:
    store, heard = Store(), []
    store.listen(heard.append)
    store.apply(keys(1, a_key(1)))
    store.apply(keys(1, a_key(1)))
    assert heard == [store.current]


def test_the_last_good_copy_is_served_after_a_restart(tmp_path: Path) -> None:
    path, key = tmp_path / "snapshot", a_key(1)
    store = Store(path=path)
    store.apply(keys(3, key))
    assert store.save()
    assert not store.save(), "nothing changed since"
    assert path.stat().st_mode & 0o077 == 0
    later = Store(path=path)
    assert later.load()
    assert later.current.key(key.digest) == key
    assert later.current.version == 3


def test_a_broken_copy_is_no_copy(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    assert not Store(path=path).load()
    path.write_bytes(b"\x93 not msgpack")
    store = Store(path=path)
    assert not store.load()
    assert not store.ready
    assert isinstance(store.current, Snapshot)

"""Fixtures that every test folder shares. People are in people.py, objects in factories.py."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
import redis
from django.test import Client

from tests.people import acme, admin, owner, research, sales, stranger, team_mate

__all__ = ["acme", "admin", "owner", "research", "sales", "stranger", "team_mate"]

REDIS_URL = os.environ.get("CUSTOMHOUSE_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
if (_worker := os.environ.get("PYTEST_XDIST_WORKER", "gw0")) != "gw0":
    # Tests empty their Redis database, so each process of a parallel run has one of its own, counted down from the first.
    _parts = urlsplit(REDIS_URL)
    REDIS_URL = urlunsplit(_parts._replace(path=f"/{int(_parts.path.strip('/')) - int(_worker.removeprefix('gw'))}"))
    os.environ["CUSTOMHOUSE_TEST_REDIS_URL"] = REDIS_URL
DATABASE_URL = os.environ.get("CUSTOMHOUSE_TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/")


@pytest.fixture(autouse=True)
def _sessions_of_the_model_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """`force_login` takes the first backend that is configured, and ours is there to count failures: it knows nobody."""
    force_login = Client.force_login

    def with_backend(self: Client, user: Any, backend: str | None = None) -> None:
        force_login(self, user, backend or "django.contrib.auth.backends.ModelBackend")

    monkeypatch.setattr(Client, "force_login", with_backend)


@pytest.fixture(autouse=True)
def _no_names_are_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests need no network: every name but this machine's is unknown at once, instead of after a resolver's patience."""
    resolve = socket.getaddrinfo

    def local_only(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host or ""
        literal = name.replace(".", "").isdigit() or ":" in name
        if literal or name in ("", "localhost", socket.gethostname()):
            return resolve(host, *args, **kwargs)
        raise socket.gaierror(socket.EAI_NONAME, f"tests resolve no names: {name}")

    monkeypatch.setattr(socket, "getaddrinfo", local_only)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for a server is marked by it: `-m "not postgres and not redis"` is the suite that needs only Python."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        for marker in ("postgres", "redis"):
            if f"{marker}_url" in fixtures:
                item.add_marker(marker)


def _absent(name: str, error: Exception) -> None:
    """Skips, or fails where CI has said that the server has to be there (CUSTOMHOUSE_REQUIRE_<NAME>=1)."""
    text = f"{name} does not answer: {error}"
    if os.environ.get(f"CUSTOMHOUSE_REQUIRE_{name.upper()}") == "1":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


@pytest.fixture(scope="session")
def redis_server() -> str:
    if urlsplit(REDIS_URL).path.strip("/") in ("", "0"):
        pytest.fail("CUSTOMHOUSE_TEST_REDIS_URL names database 0; tests empty their database and want another one", pytrace=False)
    try:
        with redis.Redis.from_url(REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
            client.ping()
    except redis.RedisError as error:
        _absent("redis", error)
    return REDIS_URL


@pytest.fixture
def redis_url(redis_server: str) -> Iterator[str]:
    """An emptied Redis database of the tests' own."""
    with redis.Redis.from_url(redis_server, socket_timeout=5) as client:
        client.flushdb()
        yield redis_server
        client.flushdb()


@pytest.fixture(scope="session")
def postgres_server() -> str:
    try:
        psycopg.connect(_named(DATABASE_URL, "postgres"), connect_timeout=2).close()
    except psycopg.Error as error:
        _absent("postgres", error)
    return DATABASE_URL


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A new, empty PostgreSQL database, dropped afterwards."""
    name = f"customhouse_test_{uuid4().hex[:12]}"
    with psycopg.connect(_named(postgres_server, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield _named(postgres_server, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))

"""The house on PostgreSQL, for tests of what only it has or does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections

from config.databases import database_settings
from usage import partitions


@contextmanager
def default_database(url: str) -> Iterator[Any]:
    """The default connection, in every thread, is to this database."""
    stored, held = connections.settings["default"], connections["default"]
    settings = {**stored, **database_settings(url)}
    settings["OPTIONS"].pop("pool", None)
    connections.settings["default"] = settings
    del connections["default"]
    try:
        yield connections["default"]
    finally:
        connections["default"].close()
        connections.settings["default"] = stored
        connections["default"] = held
        partitions._known.clear()


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(urlunsplit(urlsplit(url)._replace(path="/postgres")), autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str, django_db_blocker: Any) -> Iterator[str]:
    """Name of a migrated database to copy: to migrate one for every test would take most of the time."""
    name = f"customhouse_test_{uuid4().hex[:12]}"
    _execute(postgres_server, f"CREATE DATABASE {name}")
    url = urlunsplit(urlsplit(postgres_server)._replace(path=f"/{name}"))
    with django_db_blocker.unblock(), default_database(url):
        call_command("migrate", verbosity=0)
    yield name
    _execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def on_postgres(migrated_postgres: str, postgres_server: str, django_db_blocker: Any) -> Iterator[Any]:
    """The house is on an empty migrated PostgreSQL database. Commits are real."""
    name = f"{migrated_postgres}_{uuid4().hex[:6]}"
    _execute(postgres_server, f"CREATE DATABASE {name} TEMPLATE {migrated_postgres}")
    url = urlunsplit(urlsplit(postgres_server)._replace(path=f"/{name}"))
    with django_db_blocker.unblock(), default_database(url) as connection:
        yield connection
    _execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")

"""A database address to Django's DATABASES entry: `sqlite:///path` or `postgresql://user:password@host:port/name`."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from config.env import ConfigurationError

SQLITE_OPTIONS = {
    # A deferred transaction that reads first and then writes fails at once with "database is locked" when another
    # wrote in between, whatever the timeout. Taking the write lock at BEGIN makes it wait its turn instead.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    # FULL: a settled call is dropped from the journal once it is committed here, so the commit has to be on disk.
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=134217728; PRAGMA journal_size_limit=67108864;",
}
POOL = {"min_size": 1, "max_size": 16, "timeout": 10, "max_idle": 300}


def database_settings(url: str) -> dict[str, Any]:
    """Raises ConfigurationError for an address of another kind. Query parameters of a PostgreSQL address are libpq options."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = unquote(parts.path)
        if parts.netloc or len(path) < 2:
            raise ConfigurationError("CUSTOMHOUSE_DATABASE_URL: expected sqlite:///absolute/path.db")
        # sqlite:////abs keeps its own slash; sqlite:///abs/path, written by joining an absolute path, is the same file.
        name = path[1:] if path.startswith("//") else path
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "OPTIONS": dict(SQLITE_OPTIONS)}
    if parts.scheme in ("postgres", "postgresql"):
        name = unquote(parts.path.lstrip("/"))
        if not name:
            raise ConfigurationError("CUSTOMHOUSE_DATABASE_URL: expected the name of a database after the host")
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "OPTIONS": {**dict(parse_qsl(parts.query)), "pool": dict(POOL)},
        }
    raise ConfigurationError("CUSTOMHOUSE_DATABASE_URL: expected sqlite:///… or postgresql://…")

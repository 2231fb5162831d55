"""What the house is told from outside, read once: environment variables, files named by `<NAME>_FILE`, kept secrets.

Pure Python: the data plane reads the same `Environment` without Django.

A house that is alone (SQLite in its own home, no Redis) makes its secrets itself and keeps them in
`$CUSTOMHOUSE_HOME/secrets.json`, mode 0600. A house of several processes must be given them, since all must agree:
it refuses to start without. There is no default secret anywhere.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from config.secrets_file import kept_secrets

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: manage.py, templates/ and the packages beside platform/ are here."""

SECRETS = ("CUSTOMHOUSE_SECRET_KEY", "CUSTOMHOUSE_KEY_PEPPER", "CUSTOMHOUSE_SEAL_KEY")
SERVERS = ("daphne", "granian")
LEAST_SECRET = 32
"""Characters: what `secrets.token_urlsafe(24)` gives. Shorter is a word that somebody typed."""

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off", ""})


class ConfigurationError(Exception):
    """The environment can't be used. The message names the variable and what it should be, never its value."""


def envtext(environ: Mapping[str, str], name: str, default: str | None = None) -> str | None:
    """The variable without surrounding blanks; empty counts as unset."""
    return (environ.get(name) or "").strip() or default


def envbool(environ: Mapping[str, str], name: str, default: bool = False) -> bool:
    text = environ.get(name)
    if text is None:
        return default
    value = text.strip().lower()
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise ConfigurationError(f"{name}: expected one of 1, 0, true, false, yes, no, on, off")


def envint(environ: Mapping[str, str], name: str, default: int, *, least: int = 0, most: int = 2**63 - 1) -> int:
    text = envtext(environ, name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        raise ConfigurationError(f"{name}: expected a whole number") from None
    if not least <= value <= most:
        raise ConfigurationError(f"{name}: expected {least} to {most}")
    return value


def envlist(environ: Mapping[str, str], name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A comma-separated list."""
    text = envtext(environ, name)
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else default


def envsecret(environ: Mapping[str, str], name: str) -> str | None:
    """The secret itself, or the content of the file that `<NAME>_FILE` names. Both at once is a mistake worth telling."""
    direct, path = environ.get(name) or None, environ.get(f"{name}_FILE") or None
    if direct and path:
        raise ConfigurationError(f"{name} and {name}_FILE are both set: expected one of them")
    if path is None:
        return direct
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{name}_FILE: can't be read ({type(error).__name__})") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Everything that both planes need to know about where they run. Secrets never appear in its repr.

    `redis_url` None means the embedded mode: one process, with the authority, the snapshot and the broker in memory.
    `seal_keys` are 32 bytes each; the first seals, all open. `public_url` has no trailing slash. `worker` is this
    process's name in journals; `workers` how many a gateway on Granian has. `sandbox` serves something to try it on.
    """

    home: Path
    host: str
    port: int
    public_url: str
    server: str
    database_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    secret_key: str = field(repr=False)
    key_pepper: bytes = field(repr=False)
    seal_keys: tuple[bytes, ...] = field(repr=False)
    allowed_hosts: tuple[str, ...]
    debug: bool
    log_level: str
    log_json: bool
    journal_max_bytes: int
    drain_seconds: int
    trust_proxy: bool
    sandbox: bool
    worker: str
    workers: int

    @property
    def embedded(self) -> bool:
        return self.redis_url is None

    @property
    def secure(self) -> bool:
        """Whether people reach the house over TLS, so that cookies may insist on it."""
        return self.public_url.startswith("https://")


def load(environ: Mapping[str, str] | None = None) -> Environment:
    """Reads and checks everything. Raises ConfigurationError; makes $CUSTOMHOUSE_HOME (0700) where it is missing."""
    environ = os.environ if environ is None else environ
    home = Path(envtext(environ, "CUSTOMHOUSE_HOME") or ROOT / "var").expanduser().resolve()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    redis_url = envtext(environ, "CUSTOMHOUSE_REDIS_URL")
    database_url = envtext(environ, "CUSTOMHOUSE_DATABASE_URL")
    given = _secrets(environ, home, alone=redis_url is None and database_url is None)
    port = envint(environ, "PORT", 8000, least=0, most=65535)
    public_url = (envtext(environ, "CUSTOMHOUSE_PUBLIC_URL") or f"http://127.0.0.1:{port}").rstrip("/")
    if not public_url.startswith(("http://", "https://")):
        raise ConfigurationError("CUSTOMHOUSE_PUBLIC_URL: expected an address that begins with http:// or https://")
    server = envtext(environ, "CUSTOMHOUSE_SERVER", "daphne") or "daphne"
    if server not in SERVERS:
        raise ConfigurationError(f"CUSTOMHOUSE_SERVER: expected one of {', '.join(SERVERS)}")
    return Environment(
        home=home,
        host=envtext(environ, "CUSTOMHOUSE_HOST") or "127.0.0.1",
        port=port,
        public_url=public_url,
        server=server,
        database_url=database_url or f"sqlite:///{home / 'db.sqlite3'}",
        redis_url=redis_url,
        secret_key=given["CUSTOMHOUSE_SECRET_KEY"],
        key_pepper=given["CUSTOMHOUSE_KEY_PEPPER"].encode(),
        seal_keys=_seal_keys(given["CUSTOMHOUSE_SEAL_KEY"]),
        allowed_hosts=envlist(environ, "CUSTOMHOUSE_ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]")),
        debug=envbool(environ, "CUSTOMHOUSE_DEBUG"),
        log_level=(envtext(environ, "CUSTOMHOUSE_LOG_LEVEL") or "INFO").upper(),
        log_json=envbool(environ, "CUSTOMHOUSE_LOG_JSON", redis_url is not None),
        journal_max_bytes=envint(environ, "CUSTOMHOUSE_JOURNAL_MAX_BYTES", 1 << 30, least=1 << 16),
        drain_seconds=envint(environ, "CUSTOMHOUSE_DRAIN_SECONDS", 120, most=3600),
        trust_proxy=envbool(environ, "CUSTOMHOUSE_TRUST_PROXY"),
        sandbox=envbool(environ, "CUSTOMHOUSE_SANDBOX"),
        workers=envint(environ, "CUSTOMHOUSE_WORKERS", 1, least=1, most=256),
        worker=envtext(environ, "CUSTOMHOUSE_WORKER") or f"{os.uname().nodename}-{os.getpid()}",
    )


def _secrets(environ: Mapping[str, str], home: Path, *, alone: bool) -> dict[str, str]:
    """All three secrets. Those that are not given are kept ones if the house is alone, else missing."""
    given = {name: value for name in SECRETS if (value := envsecret(environ, name)) is not None}
    for name in SECRETS[:2]:
        if name in given and len(given[name]) < LEAST_SECRET:
            raise ConfigurationError(f"{name}: expected at least {LEAST_SECRET} characters")
    missing = [name for name in SECRETS if name not in given]
    if missing and not alone:
        raise ConfigurationError(
            f"{', '.join(missing)}: expected in the environment (or as <NAME>_FILE) when a database or Redis is shared. "
            "`make secrets` prints a set."
        )
    return {**kept_secrets(home), **given} if missing else given


def _seal_keys(text: str) -> tuple[bytes, ...]:
    """Comma-separated base64 of 32 bytes each, the current one first."""
    try:
        keys = tuple(base64.b64decode(part.strip(), validate=True) for part in text.split(","))
    except binascii.Error:
        keys = ()
    if not keys or any(len(key) != 32 for key in keys):
        raise ConfigurationError("CUSTOMHOUSE_SEAL_KEY: expected 32 bytes in base64 (several: comma-separated, the current one first)")
    return keys

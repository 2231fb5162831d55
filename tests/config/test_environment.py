"""What the house is told from outside."""

from __future__ import annotations

import base64
import json
import stat
import threading
from pathlib import Path

import pytest

from config.databases import database_settings
from config.env import ConfigurationError, envbool, envint, envsecret, load

SEAL = base64.b64encode(b"s" * 32).decode()
SECRETS = {"CUSTOMHOUSE_SECRET_KEY": "k" * 40, "CUSTOMHOUSE_KEY_PEPPER": "p" * 40, "CUSTOMHOUSE_SEAL_KEY": SEAL}
SHARED = {"CUSTOMHOUSE_REDIS_URL": "redis://127.0.0.1:6379/3", "CUSTOMHOUSE_DATABASE_URL": "postgresql://u:p@db/house"}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"CUSTOMHOUSE_HOME": str(tmp_path / "home")}


def test_a_house_on_its_own_makes_its_secrets_and_keeps_them(home: dict[str, str]) -> None:
    first, again = load(home), load(home)
    assert first == again
    assert len(first.secret_key) >= 32
    assert len(first.key_pepper) >= 32
    assert [len(key) for key in first.seal_keys] == [32]
    kept = Path(home["CUSTOMHOUSE_HOME"], "secrets.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_two_homes_share_no_secret(tmp_path: Path) -> None:
    one, other = (load({"CUSTOMHOUSE_HOME": str(tmp_path / name)}) for name in "ab")
    assert one.secret_key != other.secret_key
    assert one.key_pepper != other.key_pepper
    assert one.seal_keys != other.seal_keys


def test_processes_that_start_at_once_agree_on_the_secrets(home: dict[str, str]) -> None:
    barrier, found = threading.Barrier(8), []

    def start() -> None:
        barrier.wait()
        found.append(load(home))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({environment.secret_key for environment in found}) == 1
    assert list(json.loads(Path(home["CUSTOMHOUSE_HOME"], "secrets.json").read_text())) == list(SECRETS)


@pytest.mark.parametrize("address", ["CUSTOMHOUSE_REDIS_URL", "CUSTOMHOUSE_DATABASE_URL"])
def test_a_house_of_several_processes_refuses_to_start_without_its_secrets(home: dict[str, str], address: str) -> None:
    with pytest.raises(ConfigurationError, match="CUSTOMHOUSE_KEY_PEPPER"):
        load({**home, address: SHARED[address], **{name: value for name, value in SECRETS.items() if "PEPPER" not in name}})
    assert load({**home, address: SHARED[address], **SECRETS}).key_pepper == b"p" * 40
    assert not Path(home["CUSTOMHOUSE_HOME"], "secrets.json").exists()


def test_a_secret_may_come_from_a_file(home: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    path.write_text("f" * 50 + "\n")
    given = {name: value for name, value in SECRETS.items() if "PEPPER" not in name}
    assert load({**home, **given, **SHARED, "CUSTOMHOUSE_KEY_PEPPER_FILE": str(path)}).key_pepper == b"f" * 50


def test_a_secret_given_twice_or_unreadable_is_told_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match="expected one of them"):
        envsecret({"A": "secret-value", "A_FILE": "/nowhere"}, "A")
    with pytest.raises(ConfigurationError, match="FileNotFoundError") as caught:
        envsecret({"A_FILE": "/nowhere/at/all"}, "A")
    assert "secret-value" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "eighty", "whole number"),
        ("PORT", "70000", "0 to 65535"),
        ("CUSTOMHOUSE_SERVER", "apache", "daphne, granian"),
        ("CUSTOMHOUSE_PUBLIC_URL", "house.example", "http://"),
        ("CUSTOMHOUSE_DEBUG", "perhaps", "true, false"),
        ("CUSTOMHOUSE_SECRET_KEY", "short", "at least 32"),
        ("CUSTOMHOUSE_SEAL_KEY", "bm90IGxvbmc=", "32 bytes in base64"),
        ("CUSTOMHOUSE_SEAL_KEY", "not base64!", "32 bytes in base64"),
        ("CUSTOMHOUSE_JOURNAL_MAX_BYTES", "12", "65536"),
    ],
)
def test_a_bad_value_is_told_by_its_name_and_what_is_expected(home: dict[str, str], name: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected) as caught:
        load({**home, name: value})
    assert name in str(caught.value)


def test_the_first_sealing_key_is_the_current_one(home: dict[str, str]) -> None:
    other = base64.b64encode(b"o" * 32).decode()
    assert load({**home, **SECRETS, "CUSTOMHOUSE_SEAL_KEY": f"{SEAL}, {other}"}).seal_keys == (b"s" * 32, b"o" * 32)


def test_the_representation_shows_no_secret(home: dict[str, str]) -> None:
    shown = repr(load({**home, **SECRETS, **SHARED}))
    for secret in ("kkkk", "pppp", "ssss", "u:p@db", SEAL):
        assert secret not in shown


def test_cookies_insist_on_tls_where_people_come_over_it(home: dict[str, str]) -> None:
    assert load({**home, "CUSTOMHOUSE_PUBLIC_URL": "https://house.example/"}).secure
    assert not load(home).secure


def test_words_for_true_and_false_are_those_of_the_shell() -> None:
    assert [envbool({"A": word}, "A") for word in ("1", "true", "YES", "on")] == [True] * 4
    assert [envbool({"A": word}, "A", default=True) for word in ("0", "false", "No", "off", "")] == [False] * 5
    assert envint({}, "A", 7) == 7


def test_a_database_address_becomes_settings() -> None:
    lite = database_settings("sqlite:////srv/house/db.sqlite3")
    assert lite["NAME"] == "/srv/house/db.sqlite3"
    assert lite["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in lite["OPTIONS"]["init_command"]
    postgres = database_settings("postgresql://ho%40me:p%3Aw@db.example:5433/house?sslmode=require")
    wanted = {"USER": "ho@me", "PASSWORD": "p:w", "HOST": "db.example", "PORT": "5433", "NAME": "house"}
    assert {name: postgres[name] for name in wanted} == wanted
    assert postgres["OPTIONS"]["sslmode"] == "require"
    assert postgres["OPTIONS"]["pool"]["max_size"] == 16


@pytest.mark.parametrize("url", ["mysql://a/b", "postgresql://host", "sqlite://relative", "house.db"])
def test_another_kind_of_database_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="CUSTOMHOUSE_DATABASE_URL"):
        database_settings(url)

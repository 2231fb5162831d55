"""Logs hold no secrets and no forged lines."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator

import pytest
import structlog

from config.logs import logging_settings, redact, redact_text

KEY = "ch_abcd1234_S3cretS3cretS3cretS3cret"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything logged while the test runs, formatted as JSON; the logging set-up is put back afterwards."""
    written = io.StringIO()
    settings = logging_settings(level="INFO", as_json=True)
    formatter = logging.config.DictConfigurator(settings).configure_formatter(dict(settings["formatters"]["house"]))
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter)
    logger = logging.getLogger("tests.logs")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield written
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    "text",
    [
        f"the key {KEY} was sent",
        "Authorization: Bearer abcdefghijklmnop",
        "calling with sk-proj-abcdefgh12345678",
        "postgresql://house:hunter2@db/house is away",
    ],
)
def test_what_has_the_shape_of_a_secret_is_cut_out(text: str) -> None:
    cleaned = redact_text(text)
    assert "[redacted]" in cleaned
    for secret in ("S3cret", "abcdefgh", "hunter2"):
        assert secret not in cleaned


def test_a_value_under_a_secrets_name_goes_whole_however_deep() -> None:
    event = {"headers": {"Authorization": "anything", "accept": "text/html"}, "list": [{"password": "x", "token": 5}], "raw": b"abc"}
    assert redact(event) == {
        "headers": {"Authorization": "[redacted]", "accept": "text/html"},
        "list": [{"password": "[redacted]", "token": "[redacted]"}],
        "raw": "<3 bytes>",
    }


def test_a_foreign_name_can_not_forge_a_line(lines: io.StringIO) -> None:
    logging.getLogger("tests.logs").warning("registered %s", 'x\r\n{"level": "info"}\x1b[2J')
    written = lines.getvalue()
    assert written.count("\n") == 1
    assert "\x1b" not in json.loads(written)["event"]


def test_a_key_in_an_exception_does_not_reach_the_log(lines: io.StringIO) -> None:
    try:
        raise ValueError(f"can't use {KEY}")
    except ValueError:
        logging.getLogger("tests.logs").exception("failed")
    written = lines.getvalue()
    assert "ValueError" in written
    assert "S3cret" not in written


def test_structured_events_and_plain_ones_come_out_alike(lines: io.StringIO) -> None:
    structlog.get_logger("tests.logs").info("house.opened", port=8000, api_key="sk-anything-at-all")
    event = json.loads(lines.getvalue())
    assert event["event"] == "house.opened"
    assert event["port"] == 8000
    assert event["api_key"] == "[redacted]"
    assert event["level"] == "info"

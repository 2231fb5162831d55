"""System checks of the LLM gateway."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from django.core.checks import run_checks
from django.core.management import call_command

from tests.llmgateway.conftest import CANARY, MakeProvider


def found(*, databases: bool = True) -> list[str]:
    messages = run_checks(databases=["default"] if databases else None)
    return [str(message.id) for message in messages if str(message.id).startswith("llmgateway.")]


def test_a_house_in_order_has_nothing_to_tell(make_provider: MakeProvider) -> None:
    make_provider(api_key=CANARY)
    make_provider()
    assert found() == []


def test_a_credential_that_does_not_open_is_told_without_showing_it(make_provider: MakeProvider, settings: Any) -> None:
    make_provider("old", api_key=CANARY)
    settings.CUSTOMHOUSE = dataclasses.replace(settings.CUSTOMHOUSE, seal_keys=(os.urandom(32),))
    messages = [message for message in run_checks(databases=["default"]) if message.id == "llmgateway.W001"]
    assert len(messages) == 1
    assert "provider old" in messages[0].msg
    assert CANARY not in str(messages[0])
    assert found(databases=False) == []


def test_after_a_rotation_the_old_key_still_opens(make_provider: MakeProvider, settings: Any) -> None:
    make_provider(api_key=CANARY)
    settings.CUSTOMHOUSE = dataclasses.replace(settings.CUSTOMHOUSE, seal_keys=(os.urandom(32), *settings.CUSTOMHOUSE.seal_keys))
    assert found() == []


def test_a_sealing_key_that_can_not_be_used_is_an_error(settings: Any) -> None:
    settings.CUSTOMHOUSE = dataclasses.replace(settings.CUSTOMHOUSE, seal_keys=(b"short",))
    assert found(databases=False) == ["llmgateway.E001"]


def test_the_models_have_no_migration_outstanding(db: None) -> None:
    call_command("makemigrations", "llmgateway", check=True, dry_run=True, verbosity=0)

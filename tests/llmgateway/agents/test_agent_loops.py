"""A coding tool works through forty steps on any vendor's model, and nothing that was said or done is lost or changed: each
request must hold the whole conversation as it was had, with its thinking, in order, and the ledger what it used."""

from __future__ import annotations

import pytest

from bench.agents.turns import Used
from tests.fakes.house import House
from tests.llmgateway.agents import claude_code as as_claude
from tests.llmgateway.agents import codex as as_codex
from tests.llmgateway.agents.acting import STEPS, VENDORS, Vendors
from tests.llmgateway.agents.claude_code import ClaudeCode
from tests.llmgateway.agents.codex import Codex
from tests.llmgateway.agents.conftest import model_of


def booked(house: House, calls: int) -> Used:
    total = Used()
    for event in house.all_settled(calls):
        assert (event.outcome, event.estimated) == ("ok", False)
        used = event.usage
        written = used.get("cache_write_5m", 0) + used.get("cache_write_1h", 0)
        total += Used(used.get("input", 0), used.get("cached_read", 0), written, used.get("output", 0), used.get("reasoning", 0))
    return total


@pytest.mark.parametrize("vendor", VENDORS)
def test_claude_code_works_on_with_every_vendors_model(
    vendor: str, house: House, vendors: Vendors, claude: ClaudeCode, plain_claude: ClaudeCode
) -> None:
    lane = vendors.lane(vendor, as_claude.NAMES)
    tool = claude if vendor == "anthropic" else plain_claude

    assert tool.work(model_of(vendor), STEPS) == lane.last_words
    assert lane.found == []
    assert lane.answers == STEPS + 1
    assert booked(house, STEPS + 1) == lane.used


@pytest.mark.parametrize("vendor", VENDORS)
def test_codex_works_on_with_every_vendors_model(vendor: str, house: House, vendors: Vendors, codex: Codex) -> None:
    lane = vendors.lane(vendor, as_codex.NAMES)

    assert codex.work(model_of(vendor), STEPS) == lane.last_words
    assert lane.found == []
    assert lane.answers == STEPS + 1
    assert booked(house, STEPS + 1) == lane.used

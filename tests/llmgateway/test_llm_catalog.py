"""Models in the catalog at `/`: who finds which, and what is told about them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from identity import actions as identity_actions
from identity.models import Team, User
from llmgateway import catalog
from registry.catalog import sources
from tests.llmgateway.conftest import CANARY, MakeModel, MakeProvider


def names(user: User | AnonymousUser) -> list[str]:
    return [entry.name for entry in catalog.entries(user)]


def test_people_find_what_is_granted_owned_or_discoverable(
    admin: User, owner: User, team_mate: User, stranger: User, research: Team, make_model: MakeModel
) -> None:
    make_model("ours", owner_team=research)
    make_model("open", discoverable=True)
    make_model("hidden")
    make_model("off", discoverable=True, enabled=False)
    granted = make_model("granted")
    identity_actions.grant(actor=None, to=stranger, obj=granted)

    assert names(owner) == names(team_mate) == ["open", "ours"]
    assert names(stranger) == ["granted", "open"]
    assert names(admin) == ["granted", "hidden", "open", "ours"]
    assert names(AnonymousUser()) == []


def test_an_entry_tells_prices_and_vendors_but_no_address(
    admin: User, research: Team, make_provider: MakeProvider, make_model: MakeModel
) -> None:
    make_provider("west", base_url="https://internal-name.example/v1", api_key=CANARY)
    make_model(
        "main",
        description="Quick.\nAnd more.",
        owner_team=research,
        max_output=8192,
        deployments=[{"provider": "west", "model": "gpt-x"}],
        price={"input": "0.15", "output": "0.6"},
    )
    make_model("empty")
    empty, main = catalog.entries(admin)
    assert (main.kind, main.ref, main.summary, main.team, main.state) == ("model", "model:main", "Quick.", "research", "live")
    assert main.facts == (
        ("Price per million tokens", "$0.15 in · $0.60 out"),
        ("Served by", "west"),
        ("Longest answer", "8,192 tokens"),
    )
    assert "gpt-x" in main.words
    assert "internal-name" not in repr(main)
    assert (empty.state, empty.facts) == ("not served", ())


def test_a_page_of_models_costs_a_bounded_number_of_queries(
    admin: User, make_provider: MakeProvider, make_model: MakeModel, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    make_provider("p")
    for number in range(30):
        make_model(f"m{number}", deployments=[{"provider": "p", "model": f"u{number}"}])
    with django_assert_max_num_queries(4):  # type: ignore[operator]
        assert len(list(catalog.entries(admin))) == 30


def test_the_catalog_knows_its_source() -> None:
    assert catalog.entries in sources()

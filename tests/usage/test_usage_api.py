"""Usage events, budgets, prices and alarms over HTTP, refusals beside successes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from identity.models import Team, User
from tests import factories
from tests.usage.calls import NOON, a_call
from usage import actions, ledger, prices
from usage.models import Budget, LedgerEntry, Price, UnpricedModel

pytestmark = pytest.mark.django_db

EVENTS = "/api/v1/usage-events/"
BUDGETS = "/api/v1/budgets/"
PRICES = "/api/v1/prices/"
ALARMS = "/api/v1/unpriced-models/"
JSON = "application/json"


@pytest.fixture
def house(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def results(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.content
    return list(response.json()["results"])


def test_an_event_is_told_by_the_names_that_are_relied_on(house: Client) -> None:
    event = a_call(day=20, usage={"input": 5, "output": 7, "images": 1}, cost="0.000000000001", estimated=True)
    ledger.record([event])
    assert results(house.get(EVENTS, {"request_id": event.request_id})) == [
        {
            "id": event.id,
            "request_id": event.request_id,
            "at": "2026-11-20T12:00:00Z",
            "plane": "llm",
            "principal": "ci",
            "team": "research",
            "key": "ci-key",
            "model": "gpt-4o-mini",
            "provider": "openai",
            "deployment": "openai/gpt-4o-mini",
            "server": None,
            "tool": None,
            "agent": None,
            "status": 200,
            "outcome": "ok",
            "usage": {"input": 5, "cached_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "output": 7, "reasoning": 0, "images": 1},
            "cost": "0.000000000001",
            "currency": "USD",
            "price": "catalogue:openai/gpt-4o-mini@2026-11-22",
            "estimated": True,
            "latency_ms": 812.5,
            "ttft_ms": 100.25,
            "saved": None,
        }
    ]


def test_an_event_of_a_kept_answer_tells_what_it_saved_beside_what_it_cost(house: Client) -> None:
    ledger.record([a_call(usage={}, cost="0", price=None, provider="", deployment="cache", saved="0.000000000007")])
    (told,) = results(house.get(EVENTS))
    assert (told["cost"], told["saved"], told["provider"], told["deployment"]) == ("0", "0.000000000007", None, "cache")


def test_what_has_no_price_costs_null_and_not_nothing(house: Client) -> None:
    ledger.record([a_call(cost=None, price=None, ttft_ms=None), a_call(cost="0")])
    assert sorted((row["cost"] or "null", row["price"] is None) for row in results(house.get(EVENTS))) == [("0", False), ("null", True)]


def test_events_come_newest_first_page_by_page_without_a_gap(house: Client) -> None:
    same = NOON.replace(day=21)
    events = [a_call(at=same if number % 3 else NOON + timedelta(seconds=number)) for number in range(25)]
    ledger.record(events)
    seen, url = [], f"{EVENTS}?limit=4"
    while url:
        page = house.get(url).json()
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
    assert seen == [str(entry.pk) for entry in LedgerEntry.objects.order_by("-at", "-id")]
    assert len(seen) == 25


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({}, 4),
        ({"since": "2026-11-02T12:00:00Z"}, 3),
        ({"until": "2026-11-02T12:00:00Z"}, 1),
        ({"since": "2026-11-02T13:00:00+01:00", "until": "2026-11-03T00:00:00Z"}, 1),
        ({"model": "gpt-4o-mini"}, 1),
        ({"server": "weather"}, 1),
        ({"agent": "planner"}, 1),
        ({"key": "ci-key"}, 3),
        ({"key": "other"}, 1),
        ({"team": "research"}, 4),
        ({"team": "nobody"}, 0),
        ({"plane": "mcp"}, 1),
        ({"outcome": "error"}, 1),
        ({"request_id": "none"}, 0),
    ],
)
def test_events_are_filtered(house: Client, params: dict[str, str], count: int) -> None:
    nothing = {"model": "", "provider": "", "deployment": ""}
    ledger.record(
        [
            a_call(day=1),
            a_call(day=2, plane="mcp", server="weather", tool="forecast", **nothing),
            a_call(day=3, plane="a2a", agent="planner", **nothing),
            a_call(day=4, model="other", key=78, key_name="other", outcome="error"),
        ]
    )
    assert len(results(house.get(EVENTS, params))) == count


def test_a_bad_filter_is_a_400_that_names_it(house: Client) -> None:
    response = house.get(EVENTS, {"since": "yesterday"})
    assert response.status_code == 400
    assert list(response.json()) == ["since"]
    assert house.get(EVENTS, {"cursor": "garbage"}).status_code == 404


def test_events_are_read_in_a_bounded_number_of_queries(house: Client, django_assert_max_num_queries: Any) -> None:
    ledger.record([a_call() for _ in range(150)])
    with django_assert_max_num_queries(5):
        assert len(results(house.get(EVENTS))) == 100


def test_a_stranger_sees_nothing_of_another_team(
    client: Client, research: Team, sales: Team, owner: User, team_mate: User, stranger: User, admin: User
) -> None:
    below = factories.make_team("below", parent=research)
    mine, deeper, theirs = a_call(team=research.pk), a_call(team=below.pk), a_call(team=sales.pk)
    nobodys = a_call(team=None, team_name="")
    ledger.record([mine, deeper, theirs, nobodys])
    for user, seen in ((owner, {mine.id, deeper.id}), (team_mate, {mine.id, deeper.id}), (stranger, {theirs.id})):
        client.force_login(user)
        assert {row["id"] for row in results(client.get(EVENTS))} == seen
        for event in (mine, theirs, nobodys):
            assert client.get(f"{EVENTS}{event.id}/").status_code == (200 if event.id in seen else 404)
        assert results(client.get(EVENTS, {"request_id": nobodys.request_id})) == []
    client.force_login(admin)
    assert len(results(client.get(EVENTS))) == 4


@pytest.mark.parametrize("url", [EVENTS, BUDGETS, PRICES, ALARMS, f"{PRICES}resolve/"])
def test_the_management_api_is_for_staff(client: Client, research: Team, url: str) -> None:
    assert client.get(url).status_code == 401
    assert client.get(url, headers={"x-api-key": "ch_00000000_no"}).status_code == 401
    person = factories.make_user("plain", team=research)
    client.force_login(person)
    assert client.get(url).status_code == 403
    client.logout()
    _, text = factories.make_key(person)
    assert client.get(url, headers={"authorization": f"Bearer {text}"}).status_code == 403


def test_an_event_can_only_be_read(house: Client) -> None:
    event = a_call()
    ledger.record([event])
    for url in (EVENTS, f"{EVENTS}{event.id}/"):
        for method in ("post", "put", "patch", "delete"):
            assert getattr(house, method)(url, {}, content_type=JSON).status_code == 405


def test_a_budget_is_set_changed_and_removed_by_somebody_above(client: Client, research: Team, owner: User, stranger: User) -> None:
    below = factories.make_team("below", parent=research)
    client.force_login(owner)
    response = client.post(BUDGETS, {"subject": "team:below", "limit": "50.00", "period": "week"}, content_type=JSON)
    assert response.status_code == 201, response.content
    made = response.json()
    url = f"{BUDGETS}{made['id']}/"
    assert {**made, "id": 0, "created_at": ""} == {
        "id": 0,
        "subject": "team:below",
        "limit": "50",
        "period": "week",
        "mode": "hard",
        "spent": "0",
        "created_at": "",
    }
    ledger.record([a_call(at=datetime.now(UTC), team=below.pk, cost="1.5")])
    assert [(row["subject"], row["spent"]) for row in results(client.get(BUDGETS))] == [("team:below", "1.5")]
    assert client.patch(url, {"limit": "60", "mode": "soft"}, content_type=JSON).json()["limit"] == "60"
    assert client.patch(url, {"subject": "team:research"}, content_type=JSON).json()["subject"] == "team:below"

    client.force_login(stranger)
    assert results(client.get(BUDGETS)) == []
    for method in ("get", "patch", "delete"):
        assert getattr(client, method)(url, {}, content_type=JSON).status_code == 404
    assert client.post(BUDGETS, {"subject": "team:below", "limit": "1"}, content_type=JSON).status_code == 400

    client.force_login(owner)
    assert client.delete(url).status_code == 204
    assert not Budget.objects.exists()
    actors = AuditEvent.objects.filter(action__startswith="usage.budget").order_by("pk").values_list("action", "actor_name")
    assert list(actors) == [(f"usage.budget.{verb}", "owner") for verb in ("set", "change", "remove")]


def test_nobody_raises_their_own_team_s_budget(client: Client, research: Team, owner: User) -> None:
    budget = actions.set_budget(actor=None, subject=research, limit="10")
    client.force_login(owner)
    assert client.patch(f"{BUDGETS}{budget.pk}/", {"limit": "1000"}, content_type=JSON).status_code == 403
    assert client.post(BUDGETS, {"subject": "team:research", "limit": "1000"}, content_type=JSON).status_code == 403
    assert client.delete(f"{BUDGETS}{budget.pk}/").status_code == 403
    budget.refresh_from_db()
    assert budget.limit == 10


def test_a_budget_can_be_an_account_s_or_a_key_s(house: Client, owner: User) -> None:
    key, _ = factories.make_key(owner)
    for subject in ("user:owner", f"key:{key.pk}"):
        response = house.post(BUDGETS, {"subject": subject, "limit": "1"}, content_type=JSON)
        assert (response.status_code, response.json()["subject"]) == (201, subject)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"subject": "team:research"}, "limit"),
        ({"subject": "team:research", "limit": "-1"}, "limit"),
        ({"subject": "team:research", "limit": "lots"}, "limit"),
        ({"subject": "team:research", "limit": "1", "period": "year"}, "period"),
        ({"subject": "team:research", "limit": "1", "mode": "firm"}, "mode"),
        ({"subject": "team:research", "limit": "1", "colour": "red"}, "colour"),
        ({"subject": "team:nobody", "limit": "1"}, "subject"),
        ({"subject": "key:x", "limit": "1"}, "subject"),
        ({"subject": 7, "limit": "1"}, "subject"),
        ({"limit": "1"}, "subject"),
    ],
)
def test_a_bad_budget_is_a_400_that_names_the_field(house: Client, research: Team, values: dict[str, Any], field: str) -> None:
    response = house.post(BUDGETS, values, content_type=JSON)
    assert (response.status_code, list(response.json())) == (400, [field])


def test_budgets_are_listed_in_a_bounded_number_of_queries(house: Client, research: Team, django_assert_max_num_queries: Any) -> None:
    for number in range(20):
        actions.set_budget(actor=None, subject=factories.make_team(f"t{number}", parent=research), limit="1")
    with django_assert_max_num_queries(12):
        assert len(results(house.get(BUDGETS))) == 20


def test_a_price_is_stated_found_and_withdrawn(house: Client) -> None:
    prices.seed()
    listed = house.get(f"{PRICES}resolve/", {"vendor": "openai", "upstream_model": "gpt-4o-mini", "model": "ours"}).json()
    assert (listed["source"], listed["input"], listed["audio_input"]) == ("genai-prices", "0.15", None)
    response = house.post(PRICES, {"model": "ours", "input": "0.10", "output": "0.5", "note": "contract 7"}, content_type=JSON)
    assert response.status_code == 201, response.content
    stated = response.json()
    today = datetime.now(UTC).date()
    assert (stated["ref"], stated["input"], stated["cached_read"], stated["note"]) == (f"override:ours@{today}", "0.1", None, "contract 7")
    found = house.get(f"{PRICES}resolve/", {"vendor": "openai", "upstream_model": "gpt-4o-mini", "model": "ours"}).json()
    assert found["ref"] == stated["ref"]
    assert len(results(house.get(PRICES, {"source": "override"}))) == 1
    assert house.delete(f"{PRICES}{stated['id']}/").status_code == 204
    assert Price.objects.get(pk=stated["id"]).withdrawn_at is not None
    assert house.get(f"{PRICES}resolve/", {"model": "ours"}).status_code == 404
    assert house.patch(f"{PRICES}{stated['id']}/", {"input": "0"}, content_type=JSON).status_code == 405


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"model": "m", "input": "1"}, "output"),
        ({"model": "m", "input": "x", "output": "1"}, "input"),
        ({"model": "m", "input": "1", "output": "-1"}, "output"),
        ({"model": "m", "input": "1", "output": "1", "inptu": "1"}, "inptu"),
        ({"input": "1", "output": "1"}, "model"),
        ({"model": "m", "input": "1", "output": "1", "valid_from": "soon"}, "valid_from"),
    ],
)
def test_a_bad_price_is_a_400_that_names_the_field(house: Client, values: dict[str, Any], field: str) -> None:
    response = house.post(PRICES, values, content_type=JSON)
    assert (response.status_code, list(response.json())) == (400, [field])
    assert not Price.objects.exists()


def test_prices_are_read_by_all_staff_and_set_by_those_who_may(client: Client, team_mate: User, owner: User) -> None:
    price = actions.set_price(actor=None, model_name="m", input="1", output="1")
    assert price is not None
    client.force_login(team_mate)
    assert len(results(client.get(PRICES))) == 1
    assert client.post(PRICES, {"model": "m", "input": "0", "output": "0"}, content_type=JSON).status_code == 403
    assert client.delete(f"{PRICES}{price.pk}/").status_code == 403
    client.force_login(owner)
    assert client.post(PRICES, {"model": "m", "input": "2", "output": "0"}, content_type=JSON).status_code == 201
    assert prices.resolve(model_name="m").input == "2"  # type: ignore[union-attr]


def test_an_alarm_is_resolved_by_those_who_may(client: Client, team_mate: User, owner: User) -> None:
    ledger.record([a_call(cost=None)])
    alarm = UnpricedModel.objects.get()
    client.force_login(team_mate)
    assert results(client.get(ALARMS))[0]["calls"] == 1
    assert client.post(f"{ALARMS}{alarm.pk}/resolve/").status_code == 403
    client.force_login(owner)
    assert client.post(f"{ALARMS}{alarm.pk}/resolve/").json()["resolved_at"] is not None
    assert results(client.get(ALARMS, {"resolved_at__isnull": "true"})) == []
    assert AuditEvent.objects.filter(action="usage.alarm.resolve").count() == 1
    assert client.post(f"{ALARMS}99999/resolve/").status_code == 404


def test_decimal_amounts_never_pass_through_floats(house: Client, research: Team) -> None:
    response = house.post(BUDGETS, {"subject": "team:research", "limit": "123456789.123456789"}, content_type=JSON)
    assert response.json()["limit"] == "123456789.123456789"
    assert Budget.objects.get().limit == Decimal("123456789.123456789")

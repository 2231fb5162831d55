"""The admin of usage: fast lists, one's own teams only, writes through actions, and the cost report's page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from audit.models import AuditEvent
from identity.models import Team, User
from tests import factories
from tests.usage.calls import NOON, a_call
from usage import actions, ledger, prices, rollups
from usage.models import Budget, LedgerEntry, Price, UnpricedModel

pytestmark = pytest.mark.django_db

LEDGER = "/admin/usage/ledgerentry/"
REPORT = "/admin/usage/rollup/costs/"


@pytest.fixture
def house(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def text(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    return response.content.decode()  # type: ignore[no-any-return]


def listed(response: Any) -> set[str]:
    assert response.status_code == 200
    return {str(row.pk) for row in response.context["cl"].result_list}


def test_the_ledger_is_listed_newest_first_in_a_bounded_number_of_queries(house: Client, django_assert_max_num_queries: Any) -> None:
    ledger.record([a_call(at=NOON + timedelta(seconds=number), model=f"model-{number:03d}") for number in range(130)])
    house.get(LEDGER)
    with django_assert_max_num_queries(12) as queries:
        page = text(house.get(LEDGER))
    assert page.index("model-129") < page.index("model-080")
    assert "model-079" not in page
    slow = [query["sql"] for query in queries.captured_queries if "usage_ledgerentry" in query["sql"] and "LIMIT" not in query["sql"]]
    assert slow == [], "no query reads the whole table"
    assert not [query for query in queries.captured_queries if "DISTINCT" in query["sql"] and "usage_ledgerentry" in query["sql"]]


def test_the_list_takes_no_more_queries_for_more_rows(house: Client) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    ledger.record([a_call()])
    house.get(LEDGER)
    with CaptureQueriesContext(connection) as few:
        house.get(LEDGER)
    ledger.record([a_call(team=number, team_name=f"t{number}", key=number) for number in range(60)])
    with CaptureQueriesContext(connection) as many:
        house.get(LEDGER)
    assert len(many) <= len(few)


def test_an_id_is_searched_for_as_a_whole(house: Client) -> None:
    one, other = a_call(model="one"), a_call(model="other")
    ledger.record([one, other])
    for term in (one.request_id, one.id, f" {one.id} "):
        assert listed(house.get(LEDGER, {"q": term})) == {one.id}
    assert listed(house.get(LEDGER, {"q": "req-"})) == set()


@pytest.mark.parametrize(
    ("params", "seen"),
    [
        ({"model": "a"}, {"a"}),
        ({"outcome": "error"}, {"b"}),
        ({"plane": "mcp"}, {"weather/forecast"}),
        ({"server": "weather"}, {"weather/forecast"}),
        ({"key": "other"}, {"b"}),
        ({"outcome": "colour"}, {"a", "b", "weather/forecast"}),
        ({"model": "nothing"}, set()),
        ({"at_from_0": "2026-11-20", "at_from_1": "12:00:01"}, {"b"}),
        ({"at_to_0": "2026-11-20", "at_to_1": "12:00:01"}, {"a", "weather/forecast"}),
        ({"at_to_0": "2026-11-20"}, {"a", "b", "weather/forecast"}),
        ({"at_from_0": "2026-11-21"}, set()),
        ({"at_from_0": "soon"}, {"a", "b", "weather/forecast"}),
    ],
)
def test_the_ledger_is_filtered(house: Client, params: dict[str, str], seen: set[str]) -> None:
    ledger.record(
        [
            a_call(at=NOON, model="a"),
            a_call(at=NOON + timedelta(seconds=5), model="b", outcome="error", key=78, key_name="other"),
            a_call(at=NOON, plane="mcp", model="", server="weather", tool="forecast", deployment=""),
        ]
    )
    changelist = house.get(LEDGER, params).context["cl"]
    assert {entry.model or f"{entry.server}/{entry.tool}" for entry in changelist.result_list} == seen


def test_a_team_filter_offers_what_one_may_see(client: Client, research: Team, sales: Team, owner: User, admin: User) -> None:
    ledger.record([a_call(team=research.pk), a_call(team=sales.pk)])
    client.force_login(admin)
    assert len(client.get(LEDGER, {"team": str(research.pk)}).context["cl"].result_list) == 1
    client.force_login(owner)
    page = text(client.get(LEDGER))
    assert ">research<" in page
    assert ">sales<" not in page
    assert len(client.get(LEDGER, {"team": str(sales.pk)}).context["cl"].result_list) == 0


def test_everybody_sees_the_calls_of_their_own_teams(client: Client, research: Team, sales: Team, owner: User, stranger: User) -> None:
    mine, theirs = a_call(team=research.pk), a_call(team=sales.pk)
    ledger.record([mine, theirs])
    for user, seen, unseen in ((owner, mine, theirs), (stranger, theirs, mine)):
        client.force_login(user)
        assert listed(client.get(LEDGER)) == {seen.id}
        assert client.get(f"{LEDGER}{seen.id}/change/").status_code == 200
        assert client.get(f"{LEDGER}{unseen.id}/change/").status_code == 404
        assert client.get(f"{LEDGER}{unseen.id}/history/").status_code == 404
        assert listed(client.get(LEDGER, {"q": unseen.id})) == set()


def test_a_call_has_a_page_with_all_that_is_known_and_nothing_to_change(house: Client) -> None:
    event = a_call(cost="0.000000000001", estimated=True)
    ledger.record([event])
    page = text(house.get(f"{LEDGER}{event.id}/change/"))
    for shown in (event.request_id, "0.000000000001", "cache_write_5m", "catalogue:openai/gpt-4o-mini@2026-11-22", "research", "ci-key"):
        assert shown in page
    assert house.post(f"{LEDGER}{event.id}/change/", {"cost": "0"}).status_code == 403
    assert house.post(f"{LEDGER}{event.id}/delete/", {"post": "yes"}).status_code == 403
    assert house.get(f"{LEDGER}add/").status_code == 403
    assert "delete_selected" not in text(house.get(LEDGER))


def test_what_is_listed_can_be_exported(house: Client) -> None:
    event = a_call(model="=1+1", cost="0.1")
    ledger.record([event])
    response = house.post(LEDGER, {"action": "export_csv", "_selected_action": [event.id]})
    lines = response.content.decode("utf-8-sig").splitlines()
    assert len(lines) == 2
    assert "'=1+1" in lines[1]
    assert ",0.1,USD," in lines[1]


def test_a_budget_is_given_in_the_admin_and_shows_what_is_spent(house: Client, research: Team) -> None:
    url = reverse("admin:usage_budget_add")
    form = {"team": research.pk, "user": "", "key": "", "limit": "10", "period": "month", "mode": "hard"}
    assert house.post(url, form).status_code == 302
    budget = Budget.objects.get()
    assert (budget.subject, budget.limit) == (f"team:{research.pk}", 10)
    ledger.record([a_call(at=datetime.now(UTC), team=research.pk, cost="8.5")])
    page = text(house.get("/admin/usage/budget/"))
    assert "$8.50 of $10.00" in page
    assert 'aria-valuenow="85"' in page
    assert "is-warn" in page
    change = f"/admin/usage/budget/{budget.pk}/change/"
    assert "$8.50 of $10.00" in text(house.get(change))
    assert house.post(change, {"limit": "20", "mode": "soft"}).status_code == 302
    budget.refresh_from_db()
    assert (budget.limit, budget.mode, budget.period) == (20, "soft", "month")
    assert house.post(f"/admin/usage/budget/{budget.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Budget.objects.exists()
    assert list(AuditEvent.objects.filter(action__startswith="usage.budget").order_by("pk").values_list("action", flat=True)) == [
        "usage.budget.set",
        "usage.budget.change",
        "usage.budget.remove",
    ]


@pytest.mark.parametrize("chosen", [(), ("team", "user")])
def test_a_budget_of_nobody_or_of_two_is_refused_in_the_form(house: Client, research: Team, owner: User, chosen: tuple[str, ...]) -> None:
    pks = {"team": research.pk, "user": owner.pk}
    form = {"team": "", "user": "", "key": "", "limit": "10", "period": "month", "mode": "hard"} | {name: pks[name] for name in chosen}
    assert "exactly one team, account or key" in text(house.post(reverse("admin:usage_budget_add"), form))
    assert not Budget.objects.exists()


def test_a_second_budget_for_the_same_period_is_refused_in_the_form(house: Client, research: Team) -> None:
    actions.set_budget(actor=None, subject=research, limit="1")
    form = {"team": research.pk, "user": "", "key": "", "limit": "10", "period": "month", "mode": "hard"}
    assert "There is a budget for this period already" in text(house.post(reverse("admin:usage_budget_add"), form))
    assert Budget.objects.get().limit == 1


def test_a_budget_is_seen_by_its_team_and_set_from_above(client: Client, research: Team, owner: User, stranger: User) -> None:
    below = factories.make_team("below", parent=research)
    own = actions.set_budget(actor=None, subject=research, limit="5")
    under = actions.set_budget(actor=None, subject=below, limit="5")
    client.force_login(stranger)
    assert listed(client.get("/admin/usage/budget/")) == set()
    for budget in (own, under):
        assert client.get(f"/admin/usage/budget/{budget.pk}/change/").status_code == 404
        assert client.post(f"/admin/usage/budget/{budget.pk}/change/", {"limit": "9", "mode": "hard"}).status_code == 404
    client.force_login(owner)
    assert "That budget is not yours to set" in text(client.post(f"/admin/usage/budget/{own.pk}/change/", {"limit": "9", "mode": "hard"}))
    assert client.post(f"/admin/usage/budget/{under.pk}/change/", {"limit": "9", "mode": "hard"}).status_code == 302
    assert [budget.limit for budget in Budget.objects.order_by("pk")] == [5, 9]


def test_budgets_are_listed_in_a_bounded_number_of_queries(house: Client, research: Team, django_assert_max_num_queries: Any) -> None:
    for number in range(30):
        actions.set_budget(actor=None, subject=factories.make_team(f"t{number}", parent=research), limit="1")
    house.get("/admin/usage/budget/")
    with django_assert_max_num_queries(20):
        house.get("/admin/usage/budget/")


def test_the_catalogue_is_searched_and_a_price_overridden(house: Client) -> None:
    prices.seed()
    assert "gpt-4o-mini" in text(house.get("/admin/usage/price/", {"q": "gpt-4o-mini"}))
    listed = Price.objects.get(vendor="openai", model="gpt-4o-mini")
    assert "0.15" in text(house.get(f"/admin/usage/price/{listed.pk}/change/"))
    assert house.post(f"/admin/usage/price/{listed.pk}/change/", {"input": "0"}).status_code == 403
    form = {"model": "ours", "vendor": "", "valid_from": "2026-11-01", "input": "1.5", "output": "2", "note": ""}
    assert house.post(reverse("admin:usage_price_add"), form).status_code == 302
    stated = Price.objects.get(model="ours")
    assert prices.resolve(model_name="ours").ref == "override:ours@2026-11-01"  # type: ignore[union-attr]
    house.post("/admin/usage/price/", {"action": "withdraw", "_selected_action": [stated.pk]})
    assert prices.resolve(model_name="ours") is None
    assert "A price needs" in text(house.post(reverse("admin:usage_price_add"), form | {"input": ""})) or "required" in text(
        house.post(reverse("admin:usage_price_add"), form | {"input": ""})
    )


def test_prices_are_for_those_with_the_permission(client: Client, team_mate: User, owner: User) -> None:
    client.force_login(team_mate)
    assert client.get("/admin/usage/price/").status_code == 403
    client.force_login(owner)
    assert client.get("/admin/usage/price/").status_code == 200


def test_an_alarm_is_listed_with_its_remedy_and_resolved(house: Client) -> None:
    ledger.record([a_call(model="local-llama", cost=None)])
    page = text(house.get("/admin/usage/unpricedmodel/"))
    assert "/admin/usage/price/add/?model=local-llama" in page
    alarm = UnpricedModel.objects.get()
    house.post("/admin/usage/unpricedmodel/", {"action": "resolve", "_selected_action": [alarm.pk]})
    alarm.refresh_from_db()
    assert alarm.resolved_at is not None
    assert AuditEvent.objects.filter(action="usage.alarm.resolve", actor_name="admin").count() == 1
    assert 'value="local-llama"' in text(house.get("/admin/usage/price/add/", {"model": "local-llama"}))


def test_what_fits_no_ledger_is_shown(house: Client) -> None:
    ledger.record([a_call(cost="lots")], source="gateway-7")
    page = text(house.get("/admin/usage/rejectedevent/"))
    assert "gateway-7" in page
    assert "cost is" in page


def test_rollups_are_listed_and_never_changed(client: Client, research: Team, sales: Team, owner: User) -> None:
    ledger.record([a_call(team=research.pk, model="mine"), a_call(team=sales.pk, model="theirs")])
    rollups.roll_up_stale()
    client.force_login(owner)
    page = text(client.get("/admin/usage/rollup/"))
    assert "mine" in page
    assert "theirs" not in page
    assert client.get("/admin/usage/rollup/add/").status_code == 403


def test_the_cost_report_s_page_shows_what_its_files_hold(house: Client) -> None:
    ledger.record([a_call(day=1, cost="1.25"), a_call(day=2, cost="2.5", model="dear"), a_call(day=2, cost=None)])
    page = text(house.get(REPORT, {"period": "2026-11", "group_by": ["team", "model"], "plane": "llm"}))
    assert "exactly 3.75 USD" in page
    assert page.index(">dear<") < page.index(">gpt-4o-mini<"), "the dearest first"
    assert "66.7 %" in page
    assert "is-warn" in page, "a call without a price is told"
    link = "/api/v1/reports/costs/?period=2026-11&amp;group_by=team%2Cmodel&amp;format=csv&amp;plane=llm"
    assert link in page
    download = house.get(link.replace("&amp;", "&"))
    assert b"".join(download.streaming_content).count(b"\r\n") == 3  # type: ignore[attr-defined]


def test_the_page_s_chart_is_of_days_in_their_order(house: Client) -> None:
    ledger.record([a_call(day=2, cost="1"), a_call(day=1, cost="5"), a_call(day=3, cost="9")])
    chart = house.get(REPORT, {"period": "2026-11", "group_by": "day"}).context["chart"]
    assert '"labels": ["2026-11-01", "2026-11-02", "2026-11-03"]' in chart["data"]
    assert '"data": [5.0, 1.0, 9.0]' in chart["data"]


@pytest.mark.parametrize("params", [{"period": "soon"}, {"period": "2026-11", "group_by": "colour"}])
def test_the_page_tells_what_it_could_not_read(house: Client, params: dict[str, str]) -> None:
    page = text(house.get(REPORT, params))
    assert 'role="alert"' in page
    assert params.get("group_by", "soon") in page


def test_an_empty_month_has_a_page_that_says_so(house: Client) -> None:
    assert "Nothing was used in this month." in text(house.get(REPORT, {"period": "2024-02"}))


def test_names_in_the_page_can_not_run_script(house: Client) -> None:
    ledger.record([a_call(day=1, model="</script><script>alert(1)</script>", cost="1")])
    assert "<script>alert(1)" not in text(house.get(REPORT, {"period": "2026-11"}))
    assert "<script>alert(1)" not in text(house.get(LEDGER))


def test_the_page_is_of_one_s_own_teams_and_for_staff(
    client: Client, research: Team, sales: Team, owner: User, stranger: User, team_mate: User
) -> None:
    ledger.record([a_call(day=1, team=research.pk, cost="1"), a_call(day=1, team=sales.pk, team_name="sales", cost="2")])
    for user, exact in ((owner, "exactly 1 USD"), (team_mate, "exactly 1 USD"), (stranger, "exactly 2 USD")):
        client.force_login(user)
        rollups.roll_up_stale()
        assert exact in text(client.get(REPORT, {"period": "2026-11"}))
    client.logout()
    assert client.get(REPORT).status_code == 302
    client.force_login(factories.make_user("plain", team=research))
    assert client.get(REPORT).status_code == 302


def test_every_list_answers_when_it_is_empty(house: Client) -> None:
    for name in ("ledgerentry", "budget", "price", "rollup", "unpricedmodel", "rejectedevent"):
        assert house.get(f"/admin/usage/{name}/").status_code == 200
    assert not LedgerEntry.objects.exists()

"""The cost report over HTTP: exact in every format, safe to open, and for one's own teams only."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.models import Team, User
from tests import factories
from tests.usage.calls import NOON, a_call
from tests.usage.test_totals import undone
from usage import ledger, rollups, totals
from usage.reports import costs, workbook

pytestmark = pytest.mark.django_db

URL = "/api/v1/reports/costs/"


@pytest.fixture
def finance(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def get(client: Client, **params: str) -> Any:
    return client.get(URL, {"period": "2026-11", **params})


def body(response: Any) -> bytes:
    assert response.status_code == 200, response.content
    return b"".join(response.streaming_content)


def csv_rows(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body(response).decode("utf-8-sig"))))


def test_a_month_is_summed_by_team_and_model_unless_asked_otherwise(finance: Client) -> None:
    ledger.record(
        [
            a_call(day=1, cost="0.1"),
            a_call(day=30, cost="0.2", outcome="error"),
            a_call(day=5, cost=None, model="local"),
            a_call(at=datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)),
            a_call(at=datetime(2026, 12, 1, tzinfo=UTC)),
        ]
    )
    rollups.roll_up(date(2026, 11, 1))
    response = get(finance)
    report = json.loads(body(response))
    assert response["Content-Type"] == "application/json"
    assert "Content-Disposition" not in response
    zeros = {"errors": 0, "unpriced": 0, "estimated": 0, "saved": "0"}
    tokens = {"input": 100, "cached_read": 20, "cache_write": 7, "output": 50}
    assert report.pop("generated_at")
    assert report == {
        "period": "2026-11",
        "group_by": ["team", "model"],
        "filters": {},
        "currency": "USD",
        "time_zone": "UTC",
        "rows": [
            {
                "team": "research",
                "team_id": 3,
                "model": "gpt-4o-mini",
                "calls": 2,
                "cost": "0.3",
                **zeros,
                "errors": 1,
                **{name: 2 * count for name, count in tokens.items()},
            },
            {"team": "research", "team_id": 3, "model": "local", "calls": 1, "cost": "0", **zeros, "unpriced": 1, **tokens},
        ],
        "totals": {"calls": 3, "cost": "0.3", **zeros, "errors": 1, "unpriced": 1, **{name: 3 * count for name, count in tokens.items()}},
    }


@pytest.mark.parametrize("group", sorted(totals.GROUPS))
def test_it_can_be_grouped_by_anything_there_is(finance: Client, group: str) -> None:
    ledger.record([a_call(day=1, server="weather", tool="forecast", agent="planner")])
    report = json.loads(body(get(finance, group_by=group)))
    values = {
        "day": {"day": "2026-11-01"},
        "plane": {"plane": "llm"},
        "team": {"team": "research", "team_id": 3},
        "principal": {"principal": "ci", "principal_ref": "user:12"},
        "key": {"key": "ci-key", "key_id": 77},
        "model": {"model": "gpt-4o-mini"},
        "provider": {"provider": "openai"},
        "server": {"server": "weather"},
        "tool": {"server": "weather", "tool": "forecast"},
        "agent": {"agent": "planner"},
    }[group]
    assert values.items() <= report["rows"][0].items()
    assert len(report["rows"]) == 1


def test_grouped_by_nothing_it_is_one_sum(finance: Client) -> None:
    ledger.record([a_call(day=1, cost="1"), a_call(day=2, cost="2")])
    report = json.loads(body(get(finance, group_by="")))
    assert [row["cost"] for row in report["rows"]] == ["3"]


def test_an_empty_month_is_an_empty_report(finance: Client) -> None:
    report = json.loads(body(get(finance, period="2024-02")))
    assert (report["rows"], report["totals"]["cost"], report["totals"]["calls"]) == ([], "0", 0)
    assert csv_rows(get(finance, period="2024-02", format="csv")) == []


amounts = st.integers(0, 10**20).map(lambda units: f"{Decimal(units).scaleb(-12):f}")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    costs=st.lists(st.tuples(st.integers(1, 30), amounts, st.none() | amounts), min_size=1, max_size=12),
    group_by=st.sampled_from(["team,model", "day", "key,day", ""]),
)
def test_every_format_sums_to_exactly_the_ledger(finance: Client, costs: list[tuple[int, str, str | None]], group_by: str) -> None:
    with undone():
        ledger.record([a_call(day=day, cost=cost, saved=saved, model=f"m{day % 3}") for day, cost, saved in costs])
        rollups.roll_up_stale(before=date(2026, 11, 15))
        whole = sum((Decimal(cost) for _, cost, _ in costs), Decimal(0))
        saved = sum((Decimal(amount) for _, _, amount in costs if amount is not None), Decimal(0))
        report = json.loads(body(get(finance, group_by=group_by)))
        rows = csv_rows(get(finance, group_by=group_by, format="csv"))
        book = openpyxl.load_workbook(io.BytesIO(body(get(finance, group_by=group_by, format="xlsx"))))
    assert Decimal(report["totals"]["cost"]) == sum(Decimal(row["cost"]) for row in report["rows"]) == whole
    assert Decimal(report["totals"]["saved"]) == sum(Decimal(row["saved"]) for row in report["rows"]) == saved
    assert sum(Decimal(row["cost"]) for row in rows) == whole
    assert sum(Decimal(row["saved"]) for row in rows) == saved
    *_, exact, _, exactly_saved = zip(*book["Costs"].iter_rows(min_row=2, values_only=True), strict=True)
    assert sum(Decimal(str(cost)) for cost in exact) == whole
    assert sum(Decimal(str(amount)) for amount in exactly_saved) == saved
    assert Decimal(str(book["Totals"]["J2"].value)) == whole


def test_a_csv_has_stable_columns_and_a_name_that_says_what_is_in_it(finance: Client) -> None:
    ledger.record([a_call(day=1, team_name="Zürich", cost="0.000000000001")])
    response = get(finance, format="csv", group_by="team,key", model="gpt-4o-mini")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="costs-2026-11-by-team-key-model=gpt-4o-mini.csv"'
    text = body(response)
    assert int(response["Content-Length"]) == len(text)
    assert text.decode("utf-8-sig").splitlines() == [
        "team,team_id,key,key_id,calls,errors,unpriced,estimated,input,cached_read,cache_write,output,cost,currency,saved",
        "Zürich,3,ci-key,77,1,0,0,0,100,20,7,50,0.000000000001,USD,0",
    ]


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x","y")', "  =1", "\uff1d1"])
def test_no_name_becomes_a_formula(finance: Client, evil: str) -> None:
    ledger.record([a_call(day=1, model=evil)])
    assert csv_rows(get(finance, format="csv", group_by="model"))[0]["model"].startswith("'")
    book = openpyxl.load_workbook(io.BytesIO(body(get(finance, format="xlsx", group_by="model"))))
    cell = book["Costs"]["A2"]
    assert (cell.data_type, cell.value) == ("s", evil)


def test_a_workbook_has_typed_cells_totals_and_what_one_has_to_know(finance: Client) -> None:
    ledger.record([a_call(day=1, cost="0.25"), a_call(day=2, cost="1234567890.000000000001")])
    response = get(finance, format="xlsx", group_by="day,team", plane="llm")
    assert response["Content-Disposition"].endswith('by-day-team-plane=llm.xlsx"')
    book = openpyxl.load_workbook(io.BytesIO(body(response)))
    assert book.sheetnames == ["Costs", "Totals", "About"]
    header, first, second = book["Costs"].iter_rows(values_only=True)
    assert header == ("day", "team", "team_id", *costs.MEASURES, "cost_exact", "saved", "saved_exact")
    assert first == (NOON.replace(day=1, hour=0, tzinfo=None), "research", 3, 1, 0, 0, 0, 100, 20, 7, 50, 0.25, "0.25", 0, "0")
    assert second[-4:] == (1234567890.0, "1234567890.000000000001", 0, "0")
    assert [cell.value for cell in book["Totals"][2]] == [2, 0, 0, 0, 200, 40, 14, 100, 1234567890.25, "1234567890.250000000001", 0, "0"]
    about = dict(book["About"].iter_rows(values_only=True))
    assert about["period"] == "2026-11"
    assert about["from"] == "2026-11-01 00:00 UTC"
    assert about["until"] == "2026-11-30 24:00 UTC"
    assert about["time zone"] == "UTC"
    assert about["filters"] == "plane = llm"
    assert about["rows"] == "2"
    assert about["generated at"].endswith(" UTC")


def test_a_report_that_does_not_fit_a_spreadsheet_is_refused(finance: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "SHEET_ROWS", 3)
    ledger.record([a_call(day=day) for day in (1, 2, 3)])
    response = get(finance, format="xlsx", group_by="day")
    assert response.status_code == 400
    assert "ask for csv" in response.json()["format"][0]
    assert len(csv_rows(get(finance, format="csv", group_by="day"))) == 3


@pytest.mark.parametrize(
    ("params", "field", "says"),
    [
        ({"group_by": "team,colour"}, "group_by", "'colour'"),
        ({"period": "november"}, "period", "2026-11"),
        ({"period": "2026-13"}, "period", "no month 2026-13"),
        ({"period": "2026-00"}, "period", "no month"),
        ({"period": "9999-01"}, "period", "no month"),
        ({"format": "parquet"}, "format", "not offered yet. Offered are json, csv, xlsx."),
        ({"format": "focus"}, "format", "not offered yet"),
        ({"format": "pdf"}, "format", "no format 'pdf'"),
    ],
)
def test_a_bad_parameter_is_named(finance: Client, params: dict[str, str], field: str, says: str) -> None:
    response = get(finance, **params)
    assert response.status_code == 400
    assert list(response.json()) == [field]
    assert says in response.json()[field][0]


def test_without_a_period_it_is_the_present_month(finance: Client) -> None:
    ledger.record([a_call(at=datetime.now(UTC))])
    report = json.loads(body(finance.get(URL)))
    assert (report["period"], len(report["rows"])) == (f"{totals.today():%Y-%m}", 1)


def test_it_can_be_narrowed_to_one_team_key_or_model(finance: Client, research: Team) -> None:
    ledger.record(
        [a_call(day=1, team=research.pk), a_call(day=1, team=999, team_name="gone"), a_call(day=2, team=999, team_name="gone", model="m")]
    )

    def calls(**params: str) -> int:
        return int(json.loads(body(get(finance, **params)))["totals"]["calls"])

    assert calls() == 3
    assert calls(team="research") == 1
    assert calls(team="gone") == 2, "by the name it had"
    assert calls(team="gone", model="m") == 1
    assert calls(team="nobody") == 0
    assert calls(key="ci-key", principal="ci", plane="llm", provider="openai") == 3


def test_a_renamed_team_keeps_the_name_it_had(finance: Client, research: Team) -> None:
    ledger.record([a_call(day=1, team=research.pk, team_name="old-name"), a_call(day=2, team=research.pk)])
    rows = json.loads(body(get(finance, group_by="team")))["rows"]
    assert [(row["team"], row["team_id"]) for row in rows] == [("old-name", research.pk), ("research", research.pk)]
    assert len(json.loads(body(get(finance, group_by="team", team="research")))["rows"]) == 2


def test_everybody_gets_the_costs_of_their_own_teams(
    client: Client, acme: Team, research: Team, sales: Team, owner: User, stranger: User, admin: User
) -> None:
    below = factories.make_team("below", parent=research)
    teams = ((acme, "1"), (research, "2"), (below, "4"), (sales, "8"))
    ledger.record([a_call(day=day, team=team.pk, team_name=team.name, cost=cost) for team, cost in teams for day in (1, 2)])
    rollups.roll_up(date(2026, 11, 1))
    for user, cost in ((admin, "30"), (owner, "12"), (stranger, "16")):
        client.force_login(user)
        assert json.loads(body(get(client)))["totals"]["cost"] == cost
    client.force_login(stranger)
    assert json.loads(body(get(client, team="research")))["rows"] == []


def test_only_staff_gets_it_with_a_session_or_a_key(client: Client, research: Team) -> None:
    assert get(client).status_code == 401
    assert client.get(URL, headers={"authorization": "Bearer ch_12345678_wrong"}).status_code == 401
    person = factories.make_user("plain", team=research)
    client.force_login(person)
    assert get(client).status_code == 403
    client.logout()
    staff = factories.make_user("clerk", team=research, is_staff=True)
    for user, status in ((person, 403), (staff, 200)):
        _, text = factories.make_key(user)
        response = client.get(URL, headers={"authorization": f"Bearer {text}"})
        assert response.status_code == status
        response.close()


def test_nothing_else_than_reading_is_offered(finance: Client) -> None:
    for method in ("post", "put", "patch", "delete"):
        assert getattr(finance, method)(URL).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_behind_an_asgi_server_it_is_streamed_and_not_read_into_memory(admin: User) -> None:
    ledger.record([a_call(day=1)])
    client = AsyncClient()

    client.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")

    async def ask() -> tuple[bool, bytes]:
        response = await client.get(URL, {"period": "2026-11", "format": "csv"})
        return response.is_async, b"".join([chunk async for chunk in response.streaming_content])

    streamed, content = async_to_sync(ask)()
    assert streamed
    assert content.count(b"\r\n") == 2

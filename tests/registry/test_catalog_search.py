"""Searching the catalog: what is found, in which order, by whom, and in how many questions to the database."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from identity import actions as identity
from identity.models import Team, User
from registry import actions
from registry.catalog import fulltext
from registry.catalog.search import PAGE, Question, search
from registry.models import SearchDocument, Tool
from tests.registry.things import ALERTS, FORECAST, found_card, found_server, live_agent, live_server, live_skill, toolset

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]


def names(user: User, text: str = "", **facets: Any) -> list[str]:
    narrowed = {facet: frozenset([value]) if isinstance(value, str) else value for facet, value in facets.items()}
    return [hit.name for hit in search(user, Question(text=text, **narrowed)).hits]


def test_words_are_the_same_whatever_their_spelling() -> None:
    assert fulltext.words("getForecast get_forecast") == ["get", "forecast", "get", "forecast"]
    assert fulltext.words("io.github/Acmé-4o ﬁle") == ["io", "github", "acme", "4o", "file"]


def test_everything_that_describes_an_item_finds_it(admin: User) -> None:
    schema = {"type": "object", "properties": {"postcode": {"type": "string", "description": "A zipcode."}}}
    described = {**FORECAST, "inputSchema": schema}
    live_server(
        slug="weather", title="Sky", description="Clouds and *rain*.", found=found_server(described, instructions="Prefer celsius.")
    )
    live_agent(slug="planner", found=found_card(description="Plans journeys."))
    live_skill(name="pdf", description="Portable documents.", body="# Use\n\nRotate pages with qpdf.")
    for words, expected in {
        "sky": "weather",
        "rain": "weather",
        "celsius": "weather",
        "forecast": "weather",
        "zipcode": "weather",
        "postcode": "weather",
        "acme weather": "weather",
        "journeys": "planner",
        "week": "planner",
        "planning": "planner",
        "portable": "pdf",
        "qpdf": "pdf",
        "rotate pag": "pdf",
    }.items():
        assert names(admin, words) == [expected], words
    assert names(admin, "rain qpdf") == []
    assert names(admin, "ain") == []


def test_a_name_comes_before_a_title_and_a_title_before_a_mention(admin: User) -> None:
    live_server(slug="other", title="Other", description="Better than any tracker of issues.")
    live_server(slug="bugs", title="Tracker for bugs", found=found_server({"name": "a"}))
    live_server(slug="tracker", title="Jira", found=found_server({"name": "b"}))
    assert names(admin, "tracker") == ["tracker", "bugs", "other"]


def test_a_tool_that_matches_brings_up_its_server_and_is_named(admin: User) -> None:
    live_server(slug="weather", found=found_server(FORECAST, ALERTS))
    hit = search(admin, Question(text="storm warnings")).hits[0]
    assert (hit.name, hit.tools) == ("weather", ("list_alerts",))


def test_what_is_withheld_or_gone_is_not_found(admin: User) -> None:
    server = live_server(slug="weather", found=found_server(FORECAST, ALERTS))
    actions.withhold_tool(actor=None, tool=Tool.objects.get(server=server, name="list_alerts"))
    assert names(admin, "storm") == []
    actions.publish(actor=None, version=actions.new_server_version(actor=None, server=server, found=found_server({"name": "snow"})))
    assert names(admin, "city") == []
    assert names(admin, "snow") == ["weather"]
    actions.delete_item(actor=None, item=server)
    assert names(admin) == []
    assert SearchDocument.objects.count() == 0


def test_a_changed_description_is_found_at_once(admin: User) -> None:
    server = live_server(slug="weather", description="Clouds.")
    actions.update_server(actor=None, server=server, description="Stars.")
    assert names(admin, "clouds") == []
    assert names(admin, "stars") == ["weather"]


def test_facets_count_what_they_would_give_and_narrow_it(admin: User, acme: Team, research: Team, sales: Team) -> None:
    live_server(slug="a", team=research)
    live_server(slug="b", team=sales)
    live_skill(name="c", team=research)
    actions.freeze(actor=None, item=live_server(slug="d", team=research), reason="x")
    answer = search(admin, Question(kind=frozenset(["server"])))
    assert [hit.name for hit in answer.hits] == ["a", "b", "d"]
    assert answer.facets["kind"] == [("server", 3), ("skill", 1)]
    assert answer.facets["team"] == [("research", 2), ("sales", 1)]
    assert answer.facets["state"] == [("live", 2), ("frozen", 1)]
    assert names(admin, team="research", state="live") == ["a", "c"]
    assert names(admin, kind=frozenset(["server", "skill"]), team="sales") == ["b"]


def test_granted_narrows_to_what_may_be_used(stranger: User, sales: Team) -> None:
    first = live_server(slug="a", discoverable=True)
    live_server(slug="b", discoverable=True)
    third = live_server(slug="c", discoverable=True)
    identity.grant(actor=None, to=sales, obj=first)
    identity.grant(actor=None, to=stranger, obj=Tool.objects.get(server=third, name="get_forecast"))
    answer = search(stranger, Question(granted=True))
    assert ([hit.name for hit in answer.hits], answer.granted, answer.facets["kind"]) == (["a", "c"], 2, [("server", 2)])


def test_nobody_finds_by_its_words_what_they_may_not_see(stranger: User, research: Team) -> None:
    live_server(
        slug="secret", team=research, description="Project Bluebird.", found=found_server({**FORECAST, "description": "Bluebird inside."})
    )
    live_skill(name="hidden", team=research, body="# Bluebird")
    assert names(stranger, "bluebird") == names(stranger) == []


def test_results_come_in_pages_and_an_odd_page_is_the_nearest(admin: User) -> None:
    for number in range(PAGE + 1):
        toolset_server = f"s{number:02}"
        live_server(slug=toolset_server)
    assert len(names(admin)) == PAGE
    assert search(admin, Question(page=2)).hits[0].name == f"s{PAGE:02}"
    assert search(admin, Question(page=99)).page == 2


def test_a_search_asks_as_many_questions_in_a_large_catalog_as_in_a_small_one(stranger: User, sales: Team) -> None:
    def asked(text: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            search(stranger, Question(text=text))
        return len(captured)

    def fill(number: int) -> None:
        server = live_server(slug=f"s{number}", discoverable=True)
        identity.grant(actor=None, to=sales, obj=server)
        toolset([f"s{number}/*"], slug=f"d{number}", discoverable=True)

    fill(0)
    few = asked(""), asked("forecast")
    for number in range(1, 10):
        fill(number)
    assert (asked(""), asked("forecast")) <= (few[0], few[1])


SCENARIO = """
import django, json
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from identity import actions as identity
from registry import actions, queries
from registry.catalog.search import Question, search
from registry.models import Review, Server, Skill, Tool
from tests import factories
from tests.registry.things import *
acme = factories.organization()
admin = factories.make_user("admin", team=acme, is_staff=True, is_superuser=True)
stranger = factories.make_user("stranger", team=factories.make_team("sales", parent=acme))
server = live_server(slug="weather", title="Getúlio's sky", discoverable=True, found=found_server(FORECAST, ALERTS))
live_skill(name="pdf", body="Rotate pages with qpdf.", scripts__a_dot_py="print(1)")
tool = Tool.objects.get(server=server, name="get_forecast")
actions.set_tool_price(actor=None, tool=tool, price=__import__("decimal").Decimal("0.000000000001"))
tool.refresh_from_db()
identity.grant(actor=None, to=stranger, obj=tool)
actions.refresh_server(actor=None, server=server, found=found_server({**FORECAST, "title": "x"}, ALERTS))
review = Review.objects.get(decision="pending")
waiting = [tool.title for tool in queries.live_tools(server)]
actions.approve(actor=admin, review=review)
def names(user, text): return [hit.name for hit in search(user, Question(text=text)).hits]
found = {
    "title": names(admin, "getulio"), "prefix": names(admin, "forec"), "body": names(admin, "qpdf rotat"),
    "tool": names(stranger, "storm"),
    "none": names(stranger, "qpdf"), "price": f"{tool.price:f}", "raw": bytes(tool.definition).decode(), "waiting": waiting,
    "live": [tool.title for tool in queries.live_tools(server)], "odd": names(admin, "a & ! | ( ' :*"),
}
actions.delete_item(actor=None, item=Server.objects.get())
actions.delete_item(actor=None, item=Skill.objects.get())
found["after"] = names(admin, "")
print(json.dumps(found))
"""


def test_the_registry_and_its_search_work_alike_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    environment = os.environ | {
        "CUSTOMHOUSE_DATABASE_URL": postgres_url,
        "CUSTOMHOUSE_HOME": str(tmp_path),
        "CUSTOMHOUSE_SECRET_KEY": "s" * 50,
        "CUSTOMHOUSE_KEY_PEPPER": "p" * 50,
        "CUSTOMHOUSE_SEAL_KEY": base64.b64encode(bytes(32)).decode(),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCENARIO], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {
        "title": ["weather"],
        "prefix": ["weather"],
        "body": ["pdf"],
        "tool": ["weather"],
        "none": [],
        "price": "0.000000000001",
        "raw": json.dumps(FORECAST),
        "waiting": ["Forecast", ""],
        "live": ["x", ""],
        "odd": ["weather"],
        "after": [],
    }

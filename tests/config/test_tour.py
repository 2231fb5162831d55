"""`make run` as a newcomer meets it: one process, its printed tour by copy and paste, and changes from beside it."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from google import genai
from openai import OpenAI

from tests.config.houses import Toured, environ, toured, wait_for

# Houses start from nothing here, some of them twice, beside whatever else the machine does.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toured]:
    with toured(tmp_path_factory.mktemp("tour") / "home") as house:
        yield house


@pytest.fixture
def client(house: Toured) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=house.tour["base_url"], timeout=20, trust_env=False) as client:
        yield client


def printed_commands(house: Toured) -> list[str]:
    """The commands of the tour as they stand on the screen."""
    return re.findall(r"^curl(?:.*\\\n)*.*$", house.process.output(), re.MULTILINE)


def bash(command: str, cwd: Path) -> str:
    return subprocess.run(["bash", "-c", command], cwd=cwd, env=environ(), capture_output=True, text=True, check=True, timeout=30).stdout


def staff(house: Toured) -> dict[str, str]:
    return {"authorization": f"Bearer {house.tour['admin_key']}"}


def chat(client: httpx.Client, key: str, model: str = "sandbox-chat") -> int:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    return client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}).status_code


def test_tour_json_has_everything_and_is_for_its_owner_only(house: Toured) -> None:
    assert list(house.tour) == ["base_url", "admin_user", "admin_password", "admin_key", "key", "model", "server", "agent"]
    assert all(house.tour.values())
    for name in ("tour.json", "tour-state.json", "secrets.json"):
        assert stat.S_IMODE((house.home / name).stat().st_mode) == 0o600


def test_the_printed_tour_works_by_copy_and_paste(house: Toured, tmp_path: Path) -> None:
    model, tool, agent, report = printed_commands(house)
    assert "data: [DONE]" in bash(model, tmp_path)
    assert "Sandbox weather" in bash(tool, tmp_path)
    assert json.loads(bash(agent, tmp_path))["result"]
    bash(report, tmp_path)
    assert "sandbox-chat" in (tmp_path / "costs.csv").read_text()


def test_the_printed_password_opens_the_admin(house: Toured, client: httpx.Client) -> None:
    page = client.get("/admin/login/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    form = {
        "username": house.tour["admin_user"],
        "password": house.tour["admin_password"],
        "csrfmiddlewaretoken": token[1],
        "next": "/admin/",
    }
    answer = client.post("/admin/login/?next=/admin/", data=form, headers={"referer": house.tour["base_url"]})
    assert answer.status_code == 302
    assert house.tour["admin_password"] in house.process.output()
    assert client.get("/admin/").status_code == 200


def test_the_tours_own_calls_are_the_first_of_the_ledger(house: Toured, client: httpx.Client) -> None:
    rows = client.get("/api/v1/usage-events/", headers=staff(house)).json()["results"]
    planes = {row["plane"] for row in rows}
    assert planes == {"llm", "mcp", "a2a"}
    priced = [row for row in rows if row["plane"] == "llm"]
    assert all(row["team"] == "tour" and float(row["cost"]) > 0 for row in priced)


def test_a_usage_event_can_be_read_within_two_seconds(house: Toured, client: httpx.Client) -> None:
    body = {"model": "sandbox-chat", "messages": [{"role": "user", "content": "hi"}]}
    answer = client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {house.tour['key']}"})
    query = {"request_id": answer.headers["x-request-id"]}
    wait_for(lambda: client.get("/api/v1/usage-events/", params=query, headers=staff(house)).json()["results"], within=2)


def test_the_openai_sdk_talks_to_the_house(house: Toured) -> None:
    sdk = OpenAI(api_key=house.tour["key"], base_url=f"{house.tour['base_url']}/v1", max_retries=0)
    stream = sdk.chat.completions.create(model=house.tour["model"], messages=[{"role": "user", "content": "hello there"}], stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text == "This is the sandbox, not a model. You said: hello there"
    assert {model.id for model in sdk.models.list()} == {"sandbox-chat", "sandbox-embedding", "sandbox-messages"}


@pytest.mark.parametrize("model", ["sandbox-chat", "sandbox-messages"])
def test_the_tours_models_answer_in_every_dialect(model: str, house: Toured) -> None:
    """One speaks OpenAI's dialect and one Anthropic's: whoever tries the house sees either answer to any client."""
    base, key, said = house.tour["base_url"], house.tour["key"], "This is the sandbox, not a model."
    with OpenAI(base_url=f"{base}/v1", api_key=key) as sdk:
        assert sdk.responses.create(model=model, input="hello").output_text.startswith(said)
    with Anthropic(base_url=base, api_key=key) as claude:
        message = claude.messages.create(model=model, max_tokens=64, messages=[{"role": "user", "content": "hello"}])
        assert message.content[0].type == "text"
        assert message.content[0].text.startswith(said)
        assert claude.messages.count_tokens(model=model, messages=[{"role": "user", "content": "hello"}]).input_tokens > 0
    gemini = genai.Client(api_key=key, http_options={"base_url": base})
    assert "".join(part.text or "" for part in gemini.models.generate_content_stream(model=model, contents="hello")).startswith(said)
    gemini.close()


def test_a_change_by_another_process_is_live_within_a_second(house: Toured, client: httpx.Client, tmp_path: Path) -> None:
    key = "ch_beside11_0123456789abcdefghijklmnopqrstuvwxyz"
    path = tmp_path / "more.yaml"
    path.write_text(f"service_accounts: [{{name: beside, team: tour}}]\nkeys: [{{name: beside, owner: beside, secret: {key}}}]\n")
    assert chat(client, key) == 401
    house.manage("apply", str(path))
    wait_for(lambda: chat(client, key) == 200, within=1)
    path.write_text("keys:\n  - {name: tour, owner: tour}\n  - {name: tour, owner: admin}\n")
    house.manage("apply", str(path), "--prune")
    wait_for(lambda: chat(client, key) == 401, within=1)


def test_the_printed_file_of_the_house_applied_again_changes_nothing(house: Toured, tmp_path: Path) -> None:
    path = tmp_path / "exported.yaml"
    house.manage("export", "--output", str(path))
    assert house.manage("apply", str(path), "--prune").stdout == "No changes.\n"


def test_a_web_page_of_another_origin_gets_no_socket(house: Toured, client: httpx.Client) -> None:
    headers = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "origin": "https://evil.example",
    }
    assert client.get("/ws/anything", headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/api/schema/", "/livez", "/readyz", "/metrics"])
def test_every_floor_of_the_house_answers_in_one_process(house: Toured, client: httpx.Client, path: str) -> None:
    assert client.get(path, headers=staff(house)).status_code in (200, 302)


def test_a_realtime_connection_is_asked_for_its_key_and_not_for_its_origin(house: Toured, client: httpx.Client) -> None:
    headers = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "origin": "https://app.example",
    }
    unknown = client.get("/v1/realtime", params={"model": house.tour["model"]}, headers=headers)
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (401, "missing_api_key")
    headers["authorization"] = f"Bearer {house.tour['key']}"
    absent = client.get("/v1/realtime", params={"model": "absent"}, headers=headers)
    assert (absent.status_code, absent.json()["error"]["code"]) == (404, "model_not_found")
    assert client.get("/v1/elsewhere", headers=headers).status_code == 404


def test_the_sandbox_is_for_this_machine_only() -> None:
    from config.sandbox.app import _from_here

    assert _from_here({"client": ["127.0.0.1", 5]})
    assert _from_here({"client": ["::1", 5]})
    assert not _from_here({"client": ["192.0.2.7", 5]})
    assert not _from_here({"client": None})
    assert not _from_here({})


def test_the_checks_of_upstreams_run_on_the_embedded_schedule(house: Toured, client: httpx.Client) -> None:
    def checked() -> bool:
        found: Any = house.manage(
            "shell", "-v0", "-c", "from llmgateway.models import Provider; print({p.health for p in Provider.objects.all()} == {'healthy'})"
        ).stdout
        return "True" in found

    wait_for(checked, within=100, what="a health check of every provider")


def test_a_restart_is_quick_keeps_everything_and_adds_no_calls(tmp_path: Path) -> None:
    with toured(tmp_path / "home") as first:
        tour = first.tour
        assert first.process.stop() == 0
    with toured(tmp_path / "home") as again:
        moved = {name: value for name, value in again.tour.items() if name != "base_url"}
        assert moved == {name: value for name, value in tour.items() if name != "base_url"}
        with httpx.Client(base_url=again.tour["base_url"], timeout=20, trust_env=False) as client:
            wait_for(lambda: chat(client, tour["key"]) == 200, within=2)  # on another port: the sandbox moved along
            rows = client.get("/api/v1/usage-events/", headers=staff(again)).json()["results"]
        assert len([row for row in rows if row["plane"] == "mcp"]) == 1
        assert again.process.stop() == 0


def test_sigterm_lets_a_model_stream_end(tmp_path: Path) -> None:
    with toured(tmp_path / "home") as house:
        body = {"model": "sandbox-chat", "stream": True, "messages": [{"role": "user", "content": "word " * 60}]}
        headers = {"authorization": f"Bearer {house.tour['key']}"}
        url = f"{house.tour['base_url']}/v1/chat/completions"
        with httpx.stream("POST", url, json=body, headers=headers, timeout=30, trust_env=False) as answer:
            lines = answer.iter_lines()
            next(lines)
            house.process.process.send_signal(signal.SIGTERM)
            rest = list(lines)
        assert "data: [DONE]" in rest
        assert house.process.process.wait(timeout=20) == 0
        counted = house.manage("shell", "-v0", "-c", "from usage.models import *; print(LedgerEntry.objects.filter(outcome='ok').count())")
        assert counted.stdout.split()[-1] == "4"


def test_granian_serves_the_whole_house_as_well(tmp_path: Path) -> None:
    with toured(tmp_path / "home", CUSTOMHOUSE_SERVER="granian") as house:
        assert "data: [DONE]" in bash(printed_commands(house)[0], tmp_path)
        assert house.process.stop() == 0


def test_the_tours_admin_can_try_its_models_in_the_playground(house: Toured) -> None:
    with httpx.Client(base_url=house.tour["base_url"], follow_redirects=True) as browser:
        page = browser.get("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token is not None
        login = {"username": house.tour["admin_user"], "password": house.tour["admin_password"], "csrfmiddlewaretoken": token.group(1)}
        browser.post("/admin/login/", data=login, headers={"referer": f"{house.tour['base_url']}/admin/login/"})
        shown = browser.get("/playground/").text
    assert "sandbox-chat" in shown
    assert "You may not use any model yet" not in shown

"""The playground's scripts in a browser, against a scripted gateway: what is sent, what is shown, and that it is only text."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from playwright.sync_api import Locator, Page, Request, Route, expect, sync_playwright

from identity import actions as identity
from identity.models import User
from tests.llmgateway.conftest import MakeModel, MakeProvider, sign_in

HOUSE = "http://house.test"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "<img src=x onerror=boom()><script>boom()</script> **bold** \U0001f600"
SETTLED = {
    "legs": 1,
    "route": "a/b",
    "outcome": "ok",
    "usage": {"input": 90, "cached_read": 10, "cache_write_5m": 0, "cache_write_1h": 0, "output": 7, "reasoning": 2},
    "cost": "0.000123",
    "estimated": False,
}


def event(**delta: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


def stream(text: str, *, thought: str = "") -> bytes:
    usage = {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 10}}
    parts = [event(reasoning_content=thought)] if thought else []
    parts += [b": keep-alive\r\n\r\n", event(content=text[:5]), event(content=text[5:])]
    parts += [b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n']
    return b"".join([*parts, b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n", b"data: [DONE]\n\n"])


@dataclass
class Script:
    """What the house answers the page's scripts, and what they asked. `answer` says what a call of a model gets: status and body."""

    page: str
    policy: str
    answer: Callable[[dict[str, Any]], tuple[int, bytes]] = lambda body: (200, stream(f"I am {body['model']}."))
    gone: set[str] = field(default_factory=set)
    made: int = 0
    ended: list[str] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def serve(self, route: Route, request: Request) -> None:
        path = request.url.removeprefix(HOUSE).partition("?")[0]
        if path == "/playground/":
            route.fulfill(body=self.page, content_type="text/html", headers={"content-security-policy": self.policy})
        elif path.startswith("/static/"):
            found = finders.find(path.removeprefix("/static/"))
            route.fulfill(path=found) if isinstance(found, str) else route.fulfill(status=404)
        elif path == "/playground/key/":
            assert request.headers["x-csrftoken"]
            self.made += 1
            route.fulfill(status=201, json={"key": f"ch_key{self.made}_secret", "prefix": f"key{self.made}", "seconds": 900})
        elif path == "/playground/key/end/":
            self.ended.append(request.post_data or "")
            route.fulfill(status=204)
        elif path.startswith("/playground/calls/"):
            route.fulfill(json=SETTLED)
        elif path.startswith("/v1/"):
            self._gateway(route, request, path)
        elif not path.startswith("/favicon"):
            self.wrong.append(request.url)
            route.fulfill(status=404)

    def _gateway(self, route: Route, request: Request, path: str) -> None:
        key = request.headers["authorization"].removeprefix("Bearer ")
        if key in self.gone:
            route.fulfill(status=401, json={"error": {"message": "The key is not valid.", "code": "invalid_api_key"}})
        elif path == "/v1/models":
            route.fulfill(json={"object": "list", "data": []})
        else:
            body = request.post_data_json
            self.calls.append((key, body))
            status, answer = self.answer(body)
            told = {"x-request-id": f"req-{len(self.calls)}", "x-customhouse-route": "first/large; tries=2"}
            route.fulfill(
                status=status, body=answer, headers={**told, "content-type": "text/event-stream" if status == 200 else "application/json"}
            )


@pytest.fixture
def script(client: Client, owner: User, make_model: MakeModel, make_provider: MakeProvider) -> Script:
    provider = make_provider()
    for name in ("quick", "careful"):
        identity.grant(actor=None, to=owner, obj=make_model(name, deployments=[{"provider": provider.name, "model": name}]))
    sign_in(client, owner)
    answer = client.get("/playground/?model=quick&with=careful")
    return Script(answer.content.decode(), answer.headers["content-security-policy"])


@contextmanager
def opened(script: Script) -> Iterator[Page]:
    """While it is open its event loop belongs to this thread, so Django's database can't be asked anything."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_default_timeout(10_000)
        page.route("**/*", script.serve)
        page.on("dialog", lambda dialog: script.wrong.append("dialog"))
        page.on("pageerror", lambda error: script.wrong.append(str(error)))
        page.on("console", lambda message: script.wrong.append(message.text) if "Content Security Policy" in message.text else None)
        page.goto(f"{HOUSE}/playground/?model=quick&with=careful")
        yield page
        browser.close()
    assert script.wrong == []


def ask(page: Page, text: str) -> None:
    page.fill("[name=message]", text)
    page.keyboard.press("Control+Enter")


def lane(page: Page, name: str) -> Locator:
    return page.locator(f".pg-lane[aria-label={name}]")


def test_two_models_answer_side_by_side_and_go_on_from_there(script: Script) -> None:
    with opened(script) as page:
        page.click("text=System prompt")
        page.fill("[name=system]", "Be brief.")
        page.fill("[name=temperature]", "0.5")
        ask(page, "It's me.")
        expect(page.locator("[data-status]")).to_have_text("Done.")
        for name in ("quick", "careful"):
            expect(lane(page, name).locator(".pg-text")).to_have_text(f"I am {name}.")
            figures = lane(page, name).locator(".pg-figures")
            for words in ("First token", "100 (10 cached)", "7 (2 reasoning)", "$0.00012", "first/large, 2 tries", "req-"):
                expect(figures).to_contain_text(words)
        lane(page, "quick").locator(".pg-curl summary").click()
        command = lane(page, "quick").locator(".pg-code code").inner_text()
        assert "_secret" not in page.content()
        page.select_option("[name=second]", "")
        expect(page.locator(".pg-lane")).to_have_count(1)
        assert page.url == f"{HOUSE}/playground/?model=quick"
        page.set_input_files("[data-file]", {"name": "dot.png", "mimeType": "image/png", "buffer": b"\x89PNG"})
        expect(page.locator("[data-picture]")).to_be_visible()
        ask(page, "And this?")
        expect(page.locator("[data-status]")).to_have_text("Done.")
        expect(page.locator("[data-picture]")).to_be_hidden()
        expect(lane(page, "quick").locator(".pg-answer")).to_have_count(2)
    assert script.made == 1
    first, second = (body for _, body in script.calls if body["model"] == "quick")
    assert first["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "It's me."}]
    assert (first["stream"], first["temperature"], first["max_completion_tokens"]) == (True, 0.5, 1024)
    assert first["stream_options"] == {"include_usage": True}
    assert second["messages"][2] == {"role": "assistant", "content": "I am quick."}
    text, picture = second["messages"][3]["content"]
    assert text == {"type": "text", "text": "And this?"}
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")
    assert command.startswith(f"curl -N {HOUSE}/v1/chat/completions")
    assert "$CUSTOMHOUSE_KEY" in command
    assert "It'\\''s me." in command


def test_refusals_are_told_in_the_houses_words_and_what_a_model_says_is_only_ever_text(script: Script) -> None:
    refusal = {"error": {"message": "The budget of team research is spent.", "code": "budget_exceeded", "type": "rate_limit_error"}}
    broken = event(content="Half of") + b'data: {"error": {"message": "The provider broke off."}}\n\n'
    answers = {"Refuse": (429, json.dumps(refusal).encode()), "Break": (200, broken), "Attack": (200, stream(HOSTILE, thought=HOSTILE))}

    def answer(body: dict[str, Any]) -> tuple[int, bytes]:
        asked = body["messages"][-1]["content"]
        return answers[asked] if body["model"] == "quick" else (200, stream("Fine."))

    script.answer = answer
    with opened(script) as page:
        quick, careful = lane(page, "quick"), lane(page, "careful")
        ask(page, "Refuse")
        expect(page.locator("[data-status]")).to_have_text("Ended with an error.")
        for words in ("The budget of team research is spent.", "budget_exceeded", "req-"):
            expect(quick.locator(".pg-error")).to_contain_text(words)
        expect(careful.locator(".pg-text")).to_have_text("Fine.")
        ask(page, "Break")
        expect(quick.locator(".pg-error").last).to_contain_text("The provider broke off.")
        expect(quick.locator(".pg-text").last).to_have_text("Half of")
        expect(page.locator("[data-run]")).to_be_enabled()
        ask(page, "Attack")
        expect(page.locator("[data-status]")).to_have_text("Done.")
        assert quick.locator(".pg-text").last.inner_text() == HOSTILE
        assert quick.locator(".pg-thought div").last.text_content() == HOSTILE
        assert quick.locator(".pg-text *, .pg-thought div *, .pg-asked img").count() == 0
    asked = [body["messages"] for _, body in script.calls if body["model"] == "quick"]
    assert asked[1] == [{"role": "user", "content": "Break"}], "what was refused is no part of the conversation"
    assert asked[2][1] == {"role": "assistant", "content": "Half of"}


def test_a_key_that_another_page_ended_is_made_anew_once_for_both_and_ended_with_the_page(script: Script) -> None:
    with opened(script) as page:
        ask(page, "Hello?")
        expect(page.locator("[data-status]")).to_have_text("Done.")
        script.gone.add("ch_key1_secret")
        ask(page, "Still there?")
        expect(page.locator("[data-status]")).to_have_text("Done.")
        expect(page.locator(".pg-answer")).to_have_count(4)
        with page.expect_request("**/playground/key/end/"):
            page.evaluate("dispatchEvent(new Event('pagehide'))")
    assert script.made == 2
    assert {key for key, _ in script.calls[2:]} == {"ch_key2_secret"}
    assert script.ended == ["prefix=key2"]

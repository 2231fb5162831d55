"""The texts that people copy: they parse, they name the model, and they hold no key."""

from __future__ import annotations

import ast
import json
import shlex
import tomllib

import pytest
import yaml
from django.test import Client

from identity import actions as identity
from identity.models import User
from llmgateway.proxy.providers import BEDROCK, CHAT, GEMINI, MESSAGES, RESPONSES
from llmgateway.snippet import Served, Snippet
from llmgateway.snippets import served_by, snippets
from tests.llmgateway.conftest import MakeModel, MakeProvider, sign_in

BASE = "https://house.example"
MODEL = "meta-llama/Llama-3.3-70B:free"
SDKS = {"openai", "openai-responses", "anthropic", "google-genai"}
CURLS = {"curl", "curl-responses", "curl-messages", "curl-gemini"}
TOOLS = {"claude-code", "codex", "gemini-cli", "opencode", "continue", "cursor", "aider"}


def of(*wires: str, translates: bool = True, purpose: str = "chat") -> dict[str, Snippet]:
    found = snippets(Served(BASE, MODEL, frozenset(wires), translates=translates, purpose=purpose))
    assert len({snippet.slug for snippet in found}) == len(found)
    return {snippet.slug: snippet for snippet in found}


def exported(text: str) -> dict[str, str]:
    return dict(shlex.split(line)[1].split("=", 1) for line in text.splitlines() if line.startswith("export "))


@pytest.mark.parametrize("wire", [CHAT, MESSAGES, GEMINI, BEDROCK])
def test_a_model_is_called_in_every_dialect_whatever_is_behind_it(wire: str) -> None:
    assert set(of(wire)) == SDKS | CURLS | TOOLS


@pytest.mark.parametrize(
    ("wires", "shown"),
    [
        ({MESSAGES}, {"anthropic", "curl-messages", "claude-code"}),
        ({GEMINI}, {"google-genai", "curl-gemini", "gemini-cli"}),
        ({CHAT}, {"openai", "curl", "opencode", "continue", "cursor", "aider"}),
        ({CHAT, RESPONSES}, {"openai", "curl", "openai-responses", "curl-responses", "codex", "opencode", "continue", "cursor", "aider"}),
        ({BEDROCK}, set()),
    ],
)
def test_one_that_is_never_translated_is_called_in_its_own_dialects_only(wires: set[str], shown: set[str]) -> None:
    assert set(of(*wires, translates=False)) == shown


def test_what_a_model_is_for_decides_how_it_is_called() -> None:
    assert set(of(CHAT, purpose="embeddings")) == {"openai", "google-genai", "curl"}
    assert set(of(CHAT, translates=False, purpose="embeddings")) == {"openai", "curl"}
    assert set(of(CHAT, purpose="realtime")) == {"realtime"}
    assert of() == {}


@pytest.mark.parametrize(
    ("slug", "url", "headers"),
    [
        ("curl", f"{BASE}/v1/chat/completions", ["authorization: Bearer $CUSTOMHOUSE_KEY"]),
        ("curl-responses", f"{BASE}/v1/responses", ["authorization: Bearer $CUSTOMHOUSE_KEY"]),
        ("curl-messages", f"{BASE}/v1/messages", ["x-api-key: $CUSTOMHOUSE_KEY", "anthropic-version: 2023-06-01"]),
        ("curl-gemini", f"{BASE}/v1beta/models/{MODEL}:streamGenerateContent?alt=sse", ["x-goog-api-key: $CUSTOMHOUSE_KEY"]),
    ],
)
def test_a_curl_line_is_one_command_with_a_json_body(slug: str, url: str, headers: list[str]) -> None:
    words = shlex.split(of(CHAT)[slug].text.replace("\\\n", " "))
    assert words[:3] == ["curl", "-N", url]
    assert [words[at + 1] for at, word in enumerate(words) if word == "-H"] == [*headers, "content-type: application/json"]
    body = json.loads(words[words.index("-d") + 1])
    assert body["contents"] if slug == "curl-gemini" else body["model"] == MODEL


@pytest.mark.parametrize("purpose", ["chat", "embeddings", "realtime"])
def test_a_python_text_is_python_and_points_its_sdk_at_the_house(purpose: str) -> None:
    bases = {"openai": f"{BASE}/v1", "openai-responses": f"{BASE}/v1", "realtime": f"{BASE}/v1", "anthropic": BASE, "google-genai": BASE}
    found = {slug: snippet for slug, snippet in of(CHAT, purpose=purpose).items() if snippet.language == "python"}
    assert found
    for slug, snippet in found.items():
        texts = [node.value for node in ast.walk(ast.parse(snippet.text)) if isinstance(node, ast.Constant)]
        assert {bases[slug], MODEL, "CUSTOMHOUSE_KEY"} <= set(texts)


def test_codex_reads_its_text_as_toml() -> None:
    config = tomllib.loads(of(MESSAGES)["codex"].text)
    assert (config["model"], config["model_provider"]) == (MODEL, "customhouse")
    assert config["model_providers"]["customhouse"] == {
        "name": "Customhouse",
        "base_url": f"{BASE}/v1",
        "env_key": "CUSTOMHOUSE_KEY",
        "wire_api": "responses",
    }


def test_codex_searches_the_web_only_where_its_own_vendor_runs_the_search() -> None:
    assert tomllib.loads(of(MESSAGES)["codex"].text)["web_search"] == "disabled"
    assert "web_search" not in tomllib.loads(of(RESPONSES)["codex"].text)


def test_claude_code_is_told_when_a_model_gets_its_thinking_back() -> None:
    assert "thinking" in of(MESSAGES)["claude-code"].note
    assert "thinking" not in of(CHAT)["claude-code"].note


def test_claude_code_is_pointed_at_the_house_and_keeps_to_what_every_vendor_knows() -> None:
    own, other = exported(of(MESSAGES)["claude-code"].text), exported(of(CHAT)["claude-code"].text)
    assert own == {
        "ANTHROPIC_BASE_URL": BASE,
        "ANTHROPIC_AUTH_TOKEN": "$CUSTOMHOUSE_KEY",
        "ANTHROPIC_MODEL": MODEL,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": MODEL,
        "CLAUDE_CODE_SUBAGENT_MODEL": MODEL,
    }
    assert other == {**own, "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1"}


def test_other_tools_are_pointed_at_the_house_in_their_own_files() -> None:
    found = of(CHAT)
    assert exported(found["gemini-cli"].text) == {"GOOGLE_GEMINI_BASE_URL": BASE, "GEMINI_API_KEY": "$CUSTOMHOUSE_KEY"}
    assert exported(found["aider"].text)["OPENAI_API_BASE"] == f"{BASE}/v1"
    opencode = json.loads(found["opencode"].text)
    assert opencode["provider"]["customhouse"]["options"] == {"baseURL": f"{BASE}/v1", "apiKey": "{env:CUSTOMHOUSE_KEY}"}
    assert opencode["model"] == f"customhouse/{MODEL}"
    (written,) = yaml.safe_load(found["continue"].text)["models"]
    assert (written["model"], written["apiBase"]) == (MODEL, f"{BASE}/v1")
    assert f"{BASE}/v1" in found["cursor"].text


def test_what_a_model_is_for_is_told_by_what_its_deployments_are_called(make_model: MakeModel, make_provider: MakeProvider) -> None:
    provider = make_provider()
    for upstream, purpose in (("text-embedding-3-small", "embeddings"), ("gpt-realtime", "realtime"), ("gpt-4o", "chat")):
        model = make_model(deployments=[{"provider": provider.name, "model": upstream}])
        served = served_by(model, list(model.deployments.select_related("provider")), base_url=f"{BASE}/")
        assert (served.purpose, served.root, served.wires) == (purpose, BASE, {CHAT, RESPONSES})


def test_the_portal_shows_them_to_whoever_may_use_the_model(
    client: Client, make_model: MakeModel, make_provider: MakeProvider, owner: User, stranger: User
) -> None:
    model = make_model("shown", deployments=[{"provider": make_provider().name, "model": "gpt-4o"}])
    identity.grant(actor=None, to=owner, obj=model)
    sign_in(client, owner)
    html = client.get("/catalog/model/shown/").content.decode()
    assert "ANTHROPIC_BASE_URL" in html
    assert 'href="/playground/?model=shown"' in html
    sign_in(client, stranger)
    assert client.get("/catalog/model/shown/").status_code == 404

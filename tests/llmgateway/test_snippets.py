"""The texts that people copy: they parse, they name the model, and they hold no key."""

from __future__ import annotations

import ast
import json
import shlex
import tomllib

import pytest

from llmgateway.snippets import Snippet, snippets

BASE = "https://house.example"
MODEL = "meta-llama/Llama-3.3-70B:free"


def of(**asked: object) -> dict[str, Snippet]:
    found = snippets(base_url=f"{BASE}/", model=MODEL, **{"dialects": {"openai", "anthropic"}, **asked})  # type: ignore[arg-type]
    assert len({snippet.slug for snippet in found}) == len(found)
    return {snippet.slug: snippet for snippet in found}


def test_only_what_the_models_deployments_speak_is_shown() -> None:
    assert set(of(dialects={"openai"})) == {"curl", "openai", "codex"}
    assert set(of(dialects={"anthropic"})) == {"curl-messages", "anthropic", "claude-code"}
    assert set(of()) == {"curl", "openai", "codex", "curl-messages", "anthropic", "claude-code"}
    assert set(of(embeds=True)) == {"curl", "openai"}


@pytest.mark.parametrize(
    ("slug", "url", "headers"),
    [
        ("curl", f"{BASE}/v1/chat/completions", ["authorization: Bearer $CUSTOMHOUSE_KEY"]),
        ("curl-messages", f"{BASE}/v1/messages", ["x-api-key: $CUSTOMHOUSE_KEY", "anthropic-version: 2023-06-01"]),
    ],
)
def test_a_curl_line_is_one_command_with_a_json_body(slug: str, url: str, headers: list[str]) -> None:
    words = shlex.split(of()[slug].text.replace("\\\n", " "))
    assert words[:3] == ["curl", "-N", url]
    assert [words[at + 1] for at, word in enumerate(words) if word == "-H"] == [*headers, "content-type: application/json"]
    assert json.loads(words[words.index("-d") + 1])["model"] == MODEL


@pytest.mark.parametrize(("slug", "base"), [("openai", f"{BASE}/v1"), ("anthropic", BASE)])
@pytest.mark.parametrize("embeds", [False, True])
def test_a_python_text_is_python(slug: str, base: str, embeds: bool) -> None:
    if (snippet := of(embeds=embeds).get(slug)) is None:
        assert embeds
        return
    texts = [node.value for node in ast.walk(ast.parse(snippet.text)) if isinstance(node, ast.Constant)]
    assert base in texts
    assert MODEL in texts
    assert "CUSTOMHOUSE_KEY" in texts


def test_codex_reads_its_text_as_toml() -> None:
    config = tomllib.loads(of()["codex"].text)
    assert (config["model"], config["model_provider"]) == (MODEL, "customhouse")
    assert config["model_providers"]["customhouse"]["base_url"] == f"{BASE}/v1"
    assert config["model_providers"]["customhouse"]["env_key"] == "CUSTOMHOUSE_KEY"


def test_claude_code_is_pointed_at_the_house_and_the_model() -> None:
    lines = dict(line.removeprefix("export ").split("=", 1) for line in of()["claude-code"].text.splitlines()[:-1])
    assert lines == {"ANTHROPIC_BASE_URL": f'"{BASE}"', "ANTHROPIC_AUTH_TOKEN": '"$CUSTOMHOUSE_KEY"', "ANTHROPIC_MODEL": f'"{MODEL}"'}

"""What is cached at Google was not made through the house: no caller may have it read by naming it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.contents import PRICE
from tests.fakes.house import House
from tests.fakes.provider import Provider, said
from tests.fakes.serving import serving
from tests.llmgateway.proxy.gemini_calls import ask_gemini, gemini_answer, with_gemini

FILE = "https://generativelanguage.googleapis.com/v1beta/files/abc-123"


@pytest.fixture
def google() -> Iterator[tuple[Provider, str]]:
    provider = Provider()
    provider.fallback = said(gemini_answer())
    with serving(provider) as url:
        yield provider, url


@pytest.fixture
def asked(tmp_path: Path, google: tuple[Provider, str]) -> Iterator[House]:
    with House(tmp_path) as house:
        with_gemini(house, google[1], price=PRICE)
        yield house


FOREIGN: list[dict[str, Any]] = [
    {"cachedContent": "cachedContents/abc"},
    {"cached_content": "projects/p/locations/l/cachedContents/7"},
]


@pytest.mark.parametrize("changes", FOREIGN)
def test_what_nobody_made_through_the_house_does_not_exist(changes: dict[str, Any], asked: House, google: tuple[Provider, str]) -> None:
    for method in ("generateContent", "streamGenerateContent"):
        answer = ask_gemini(asked, method, **changes)
        assert answer.status_code == 404
        assert answer.json()["error"]["status"] == "NOT_FOUND"
    whole = {"model": "models/gem", "contents": [], **changes}
    assert ask_gemini(asked, "countTokens", generateContentRequest=whole).status_code == 404
    assert google[0].asked == []
    assert asked.journaled() == []


HIDDEN = [
    b'"cachedConten\\u0074":"cachedContents/abc"',
    b'"cachedContent":"a","cachedContent":"cachedContents/abc"',
    b'"cachedContent":"cachedContents/abc","cachedContent":null',
]


@pytest.mark.parametrize("member", HIDDEN)
def test_no_spelling_of_json_hides_it(member: bytes, asked: House, google: tuple[Provider, str]) -> None:
    body = b'{"contents":[{"parts":[{"text":"x"}]}],%s}' % member
    answer = asked.http.post("/v1beta/models/gem:generateContent", content=body, headers={"x-goog-api-key": asked.key})
    assert answer.status_code == 404
    assert google[0].asked == []


@pytest.mark.parametrize("text", ["see files/abc and cachedContents/abc", '"cachedContent"', FILE])
def test_a_text_that_speaks_of_it_refers_to_nothing(text: str, asked: House, google: tuple[Provider, str]) -> None:
    changes = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    assert ask_gemini(asked, **changes).status_code == 200
    assert json.loads(google[0].last.body) == changes
    tool = {"name": "f", "parameters": {"type": "OBJECT", "properties": {"cachedContent": {"type": "STRING"}}}}
    called = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"cachedContent": text}}}]}
    assert ask_gemini(asked, contents=[called], tools=[{"functionDeclarations": [tool]}]).status_code == 200

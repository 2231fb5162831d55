"""What a vendor's own tools put into an answer: its text is told in every dialect, and what is missing beside it is named."""

from __future__ import annotations

from typing import Any

from tests.fakes.dialects import CHAT, MESSAGES
from tests.fakes.house import House
from tests.fakes.provider import Provider, said

SEARCH: dict[str, Any] = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "Oslo"}}
FOUND: dict[str, Any] = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
TOLD: dict[str, Any] = {"type": "text", "text": "It rains in Oslo."}


def ask(house: House, provider: Provider, *content: Any) -> Any:
    provider.then(said({**MESSAGES.answer, "content": list(content)}))
    return house.http.post(CHAT.path, json={**CHAT.body, "model": "claude"}, headers=CHAT.headers(house.key))


def test_blocks_of_a_vendors_own_tools_are_named_when_they_can_not_be_told(house: House, provider: Provider) -> None:
    answer = ask(house, provider, SEARCH, FOUND, TOLD)
    assert answer.json()["choices"][0]["message"]["content"] == "It rains in Oslo."
    assert answer.headers["x-customhouse-dropped"] == "answer.server_tool_use, answer.web_search_tool_result"


def test_an_answer_that_is_told_whole_names_nothing(house: House, provider: Provider) -> None:
    assert "x-customhouse-dropped" not in ask(house, provider, TOLD).headers

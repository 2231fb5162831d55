"""Every recorded answer is served to the official SDK of every other dialect, which sees what the record says."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.fakes.cassettes import Cassette, corpus
from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Provider, recorded
from tests.fakes.recorded_said import Candidate, dialect_of, excluded, recorded_said
from tests.fakes.recorded_usage import recorded_usage
from tests.llmgateway.translation.across_kit import CALLERS, CHAT, ERRORS, HELLO, WORDS, Clients, Understood, across, expected_usage

ANSWERS = [cassette for cassette in corpus() if cassette.status < 400 and dialect_of(cassette) is not None]
SERVED = [cassette for cassette in ANSWERS if excluded(cassette) is None]
STREAMS = [cassette for cassette in SERVED if cassette.streamed]
LEFT_OUT = [cassette for cassette in ANSWERS if excluded(cassette) is not None]


def in_turn(cassettes: list[Cassette]) -> list[Any]:
    """Each with one other caller's dialect."""
    found = []
    for place, cassette in enumerate(cassettes):
        callers = [caller for caller in CALLERS if caller != dialect_of(cassette)]
        found.append(pytest.param(callers[place % len(callers)], cassette, id=cassette.name))
    return found or across([])


def as_told(caller: str, said: list[Candidate]) -> list[Candidate]:
    return [Candidate(one.text, one.calls, WORDS[caller][one.stop]) for one in said]


def assert_understood(caller: str, cassette: Cassette, understood: Understood) -> None:
    assert understood.candidates == as_told(caller, recorded_said(cassette))
    assert understood.usage == expected_usage(caller, recorded_usage(cassette) or {})


def assert_served(caller: str, cassette: Cassette, house: House, clients: Clients, *, stream: bool) -> None:
    wire = dialect_of(cassette)
    try:
        understood = clients.ask(caller, f"wire/{wire}", stream=stream)
    finally:
        event = house.settled()
    used = recorded_usage(cassette)
    assert_understood(caller, cassette, understood)
    assert (event.status, event.outcome, event.estimated) == (200, "ok", used is None)
    if used is not None:
        assert counted(event) == used


@pytest.mark.parametrize(("caller", "cassette"), across(SERVED))
def test_a_recorded_answer_says_the_same_to_every_other_dialect_s_sdk(
    cassette: Cassette, caller: str, wired_house: House, provider: Provider, clients: Clients
) -> None:
    provider.fallback = recorded(cassette)
    assert_served(caller, cassette, wired_house, clients, stream=cassette.streamed)


@pytest.mark.parametrize(("caller", "cassette"), in_turn([cassette for cassette in SERVED if not cassette.streamed]))
def test_a_provider_that_answers_whole_is_told_as_the_stream_that_was_asked_for(
    cassette: Cassette, caller: str, wired_house: House, provider: Provider, clients: Clients
) -> None:
    provider.fallback = recorded(cassette)
    assert_served(caller, cassette, wired_house, clients, stream=True)


@pytest.mark.skipif(not ANSWERS, reason="there are no recorded exchanges")
def test_the_answers_that_are_left_out_are_these() -> None:
    left_out = Counter(reason for cassette in ANSWERS if (reason := excluded(cassette)) is not None)
    assert left_out == {
        "it is an order in the background and no answer yet": 4,
        "the stream ends in an error": 1,
    }
    assert len(SERVED) == 696


@pytest.mark.parametrize(("caller", "cassette"), across(LEFT_OUT))
def test_an_answer_that_is_left_out_is_an_error_to_every_other_dialect_s_sdk(
    cassette: Cassette, caller: str, wired_house: House, provider: Provider, clients: Clients
) -> None:
    provider.fallback = recorded(cassette)
    try:
        with pytest.raises(ERRORS):
            clients.ask(caller, f"wire/{dialect_of(cassette)}", stream=cassette.streamed)
    finally:
        event = wired_house.settled()
    assert event.outcome == "error"


@pytest.mark.parametrize(("caller", "cassette"), [pair for pair in across(STREAMS) if pair.values[0] in (CHAT, "")])
def test_openai_s_helper_for_chat_streams_makes_the_same_completion(
    caller: str, cassette: Cassette, wired_house: House, provider: Provider, clients: Clients
) -> None:
    provider.fallback = recorded(cassette)
    try:
        with clients.openai.chat.completions.stream(
            model=f"wire/{dialect_of(cassette)}", messages=[{"role": "user", "content": HELLO}]
        ) as stream:
            (choice,) = stream.get_final_completion().choices
    finally:
        wired_house.settled()
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or ()]
    assert [Candidate(choice.message.content or "", calls, choice.finish_reason)] == as_told(CHAT, recorded_said(cassette))

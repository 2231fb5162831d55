"""Invariants of what passes: no reading of a forwarded event names another model, and no usage object costs less than nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dataplane.errors import HouseError
from dataplane.money import Rates
from dataplane.snapshot import PriceRecord
from llmgateway.proxy.realtime.context import MOST, Context
from llmgateway.proxy.realtime.events import Ownership, client_event
from llmgateway.proxy.realtime.usage import CachedDetails, InputDetails, OutputDetails, ResponseUsage, from_response

OWNED = Ownership("voice", "voice-real")
Pairs = list[tuple[str, Any]]


def escaped(name: str, hide: bool) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in name) if hide else name


names = st.sampled_from(["model", "session", "response", "type", "other"])
cased = st.builds(lambda name, upper: name.capitalize() if upper else name, names, st.sampled_from([False, False, False, True]))
spelled = st.builds(escaped, cased, st.sampled_from([False, False, True]))
values = st.sampled_from(['"voice"', '"voice-real"', '"hidden"', '"session.update"', "7", "null"])
inner = st.lists(st.tuples(spelled, values), max_size=4)


def written(pairs: Pairs) -> str:
    return "{" + ", ".join(f'"{name}": {value if isinstance(value, str) else written(value)}' for name, value in pairs) + "}"


events = st.lists(st.tuples(spelled, values | inner), max_size=5).map(written)


def first_wins(pairs: Pairs) -> dict[str, Any]:
    return dict(reversed(pairs))


def caseless(pairs: Pairs) -> dict[str, Any]:
    return {name.lower(): value for name, value in pairs}


@given(events)
def test_whatever_parser_reads_a_forwarded_event_finds_no_other_model(text: str) -> None:
    try:
        event = client_event(text)
        assert event is not None
        out = OWNED.apply(event)
    except HouseError:
        return
    for hook in (first_wins, dict, caseless):
        read = json.loads(out, object_pairs_hook=hook)
        for place in (read, read.get("session"), read.get("response")):
            if isinstance(place, dict):
                assert place.get("model", "voice-real") == "voice-real", out


@given(st.dictionaries(st.sampled_from(["type", "event_id", "audio", "item", "previous_item_id"]), st.text(), max_size=4))
def test_an_event_that_names_no_model_passes_as_it_came(fields: dict[str, str]) -> None:
    text = json.dumps(fields, ensure_ascii=False, indent=2)
    for message in (text, text.encode()):
        event = client_event(message)
        assert event is not None
        assert OWNED.apply(event) is message


counts = st.none() | st.integers(0, 2000)
usages = st.builds(
    ResponseUsage,
    input_tokens=counts,
    output_tokens=counts,
    input_token_details=st.none()
    | st.builds(
        InputDetails,
        cached_tokens=counts,
        audio_tokens=counts,
        cached_tokens_details=st.none() | st.builds(CachedDetails, audio_tokens=counts),
    ),
    output_token_details=st.none() | st.builds(OutputDetails, audio_tokens=counts),
)
VOICE = Rates(PriceRecord(ref="v", input="4", output="16", cached_read="0.4", audio_input="32", audio_output="64"))


@given(usages)
def test_no_usage_costs_less_than_its_text_or_more_than_its_speech(usage: ResponseUsage) -> None:
    buckets = from_response(usage)
    if buckets is None:
        assert usage.input_tokens is None
        assert usage.output_tokens is None
        return
    whole, output = usage.input_tokens or 0, usage.output_tokens or 0
    assert buckets["input"] + buckets["cached_read"] == whole
    assert buckets.get("audio_input", 0) <= buckets["input"]
    assert buckets.get("audio_output", 0) <= buckets["output"] == output
    most = VOICE.reserve(input_tokens=whole, output_tokens=output, spoken=True) * 10**9
    assert 0 <= VOICE.charge(buckets) <= most


@given(st.lists(st.tuples(st.integers(0, 10**6), st.booleans()), max_size=10))
def test_what_a_response_is_assumed_to_read_is_never_more_than_what_is_reserved_for_it(parts: list[tuple[int, bool]]) -> None:
    context = Context()
    for characters, audio in parts:
        context.add(characters, audio=audio)
        likely = context.likely()
        assert 0 <= likely.get("audio_input", 0) <= likely["input"] <= context.most <= MOST


def test_an_event_is_read_no_deeper_than_its_members() -> None:
    event = client_event(json.dumps({"type": "input_audio_buffer.append", "audio": "A" * 10_000_000}))
    assert event is not None
    assert isinstance(event.fields["audio"], msgspec.Raw)

"""Every recorded request is written for every other dialect's vendor, read there, and written back: it asks for the same.

What a target can't express is refused, and stands in `refusals.txt` with its reason: the test fails where something is
refused that is not listed, and where something that is listed is refused no more.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmgateway.proxy.conversation.demotion import instructions_inside
from llmgateway.proxy.conversation.parts import File, Image
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.table import DIALECTS
from llmgateway.proxy.providers import VENDORS
from llmgateway.proxy.translation.written import Written, write
from tests.fakes.cassettes import Cassette, cases, corpus, folder
from tests.fakes.recorded_said import dialect_of
from tests.llmgateway.translation.plainly import plainly

FACTS = {facts.slug: facts for facts in VENDORS}
TARGETS = {
    wire: Target(wire, model, FACTS[vendor])
    for wire, vendor, model in (
        ("openai-chat", "openai", "gpt-5.2"),
        ("openai-responses", "openai", "gpt-5.2"),
        ("anthropic", "anthropic", "claude-sonnet-4-5"),
        ("gemini", "google", "gemini-2.5-flash"),
        ("bedrock", "aws", "anthropic.claude-sonnet-4-5-v1:0"),
        ("cohere", "cohere", "command-a-03-2025"),
    )
}
"""Each dialect's own vendor, with a model of it that thinks and calls tools."""

ASKED = [cassette for cassette in corpus() if cassette.status < 400 and dialect_of(cassette) is not None]
CACHE = "cache_control"
REFUSALS = Path(__file__).with_name("refusals.txt")


def asked(cassette: Cassette) -> Request:
    body = json.loads(json.dumps(cassette.body))
    return DIALECTS[str(dialect_of(cassette))].parse_request(body, body.get("model", "m"), cassette.streamed)


@cache
def written(cassette_name: str, wire: str) -> Written:
    cassette = next(one for one in ASKED if one.name == cassette_name)
    return write(asked(cassette), TARGETS[wire])


def read(wire: str, body: Any, stream: bool) -> Request:
    return DIALECTS[wire].parse_request(msgspec.json.decode(msgspec.json.encode(body)), TARGETS[wire].model, stream)


def others(cassette: Cassette) -> list[str]:
    return [wire for wire in TARGETS if wire != dialect_of(cassette)]


@pytest.mark.parametrize("cassette", cases(ASKED))
def test_a_recorded_request_asks_for_the_same_in_every_other_dialect_and_written_back(cassette: Cassette) -> None:
    source, first = str(dialect_of(cassette)), asked(cassette)
    for wire in others(cassette):
        there = written(cassette.name, wire)
        if there.losses.fields:
            continue
        second = read(wire, there.body, first.stream)
        assert not second.extra, f"{wire} is sent what it does not know"
        assert_same(first, second, there.losses.hints)

        back = write(second, home(cassette))
        assert set(back.losses.fields) <= of_unknown_type(second), wire
        if not back.losses.fields:
            assert_same(first, read(source, back.body, first.stream), [*there.losses.hints, *same_places(first, second, back)])


def assert_same(first: Request, other: Request, hints: list[str]) -> None:
    """But for what one of them does not compare, and for marks of a cache where some could not be told on the way back."""
    one, two = plainly(first, hints, first), plainly(other, hints, first)
    both = (one.keys() & two.keys()) - ({"cache"} if CACHE in hints else set())
    assert {name: two[name] for name in both} == {name: one[name] for name in both}


def home(cassette: Cassette) -> Target:
    """The vendor that it was recorded with."""
    source = str(dialect_of(cassette))
    target = TARGETS[source]
    return target._replace(facts=FACTS.get(cassette.provider, target.facts))


def of_unknown_type(request: Request) -> set[str]:
    """Files and images whose address does not tell what they are: dialects without a place for that forget it, and others
    must know."""
    parts = [part for message in request.messages for part in message.parts]
    return {part.at for part in parts if isinstance(part, File | Image) and part.url and not part.media_type}


def same_places(first: Request, second: Request, back: Written) -> list[str]:
    """What the way back could not express either, by its caller's names."""
    slots = {second.field(slot): first.field(slot) for slot in second.__struct_fields__}
    inside = [f"{place}.role" for place in instructions_inside(first)]
    demoted = inside if any(name.endswith(".role") for name in back.losses.hints) else []
    marks = [CACHE] if any(name.endswith(".cache_control") for name in back.losses.hints) else []
    return [*(slots[name] for name in back.losses.hints if name in slots), *demoted, *marks]


def refused() -> Counter[tuple[str, str, str]]:
    """How often, by target, source and the field without its numbers with the reason given."""
    found: Counter[tuple[str, str, str]] = Counter()
    for cassette in ASKED:
        for wire in others(cassette):
            losses = written(cassette.name, wire).losses
            for field in losses.fields:
                found[wire, str(dialect_of(cassette)), re.sub(r"\[\d+\]", "[]", field)] += 1
    return found


def listed() -> Counter[tuple[str, str, str]]:
    """Lines `count target < source: field` below a line `# why`; nothing stands above the first reason."""
    found: Counter[tuple[str, str, str]] = Counter()
    reason = ""
    for line in REFUSALS.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            reason = line
        elif line:
            row = re.fullmatch(r" *(\d+) (\S+) < (\S+): (\S+)", line)
            assert row is not None, line
            assert reason, f"{line} has no reason"
            found[row[2], row[3], row[4]] += int(row[1])
    return found


@pytest.mark.skipif(not folder().is_dir(), reason="there are no recorded exchanges")
def test_what_is_refused_is_listed_with_its_reason() -> None:
    assert refused() == listed()

"""The same calls under the servers of production, where leaving, back-pressure and pieces depend on the server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from dataplane.events import Intent, UsageEvent
from tests.fakes.dialects import CHAT, STREAMED, Call
from tests.fakes.house import House, standard
from tests.fakes.journaled import WAIT_LIMIT, lines_of
from tests.fakes.provider import Gate, Provider, Reply, events, said, streamed
from tests.fakes.served_house import Apart, apart
from tests.fakes.wire import connected, posting

ASKING = {"stream": True, "stream_options": {"include_usage": True}}
each_stream = pytest.mark.parametrize("call", STREAMED, ids=lambda call: call.name)


@pytest.fixture(scope="module", params=["granian", "daphne"])
def house_apart(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, provider_url: str) -> Iterator[Apart]:
    with apart(request.param, tmp_path_factory.mktemp(request.param), provider_url) as running:
        yield running


@pytest.fixture
def caller(house_apart: Apart) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=house_apart.url, timeout=WAIT_LIMIT, trust_env=False) as client:
        yield client


def settled_of(house: Apart, request_id: str) -> UsageEvent:
    """The one settled leg of a call, read from the journal of the other process; waited for."""
    found: list[UsageEvent] = []

    def read() -> bool:
        lines = lines_of(house.home / "journal")
        found[:] = [line for line in lines if isinstance(line, UsageEvent) and line.request_id == request_id]
        return bool(found)

    wait_until(read)
    assert len(found) == 1
    return found[0]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_LIMIT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the condition never came true")
        time.sleep(0.01)


def test_an_answer_in_one_piece_passes(house_apart: Apart, caller: httpx.Client, provider: Provider) -> None:
    provider.then(said(CHAT.answer))
    answer = caller.post(CHAT.path, json=CHAT.body, headers=CHAT.headers(house_apart.key))
    assert (answer.status_code, answer.json()) == (200, CHAT.answer)
    event = settled_of(house_apart, answer.headers["x-request-id"])
    assert (event.outcome, event.cost) == ("ok", answer.headers["x-customhouse-cost"])


@each_stream
def test_a_stream_passes_piece_by_piece(call: Call, house_apart: Apart, caller: httpx.Client, provider: Provider) -> None:
    gate = Gate()
    provider.then(streamed(call.pieces[0], gate, *call.pieces[1:]))
    body = {**call.body, **(ASKING if call is CHAT else {"stream": True})}
    with caller.stream("POST", call.path, json=body, headers=call.headers(house_apart.key)) as answer:
        pieces = answer.iter_raw()
        first = next(pieces)
        gate.wait_reached()
        gate.open()
        rest = b"".join(pieces)
    assert first == call.pieces[0], "it was held back until more came"
    assert first + rest == b"".join(call.pieces)
    assert settled_of(house_apart, answer.headers["x-request-id"]).outcome == "ok"


@each_stream
def test_a_caller_who_leaves_mid_stream_stops_the_provider(
    call: Call, house_apart: Apart, caller: httpx.Client, provider: Provider
) -> None:
    gate = Gate()
    provider.then(streamed(*call.pieces[:4], gate))
    with caller.stream("POST", call.path, json={**call.body, "stream": True}, headers=call.headers(house_apart.key)) as answer:
        next(answer.iter_raw())
        gate.wait_reached()
    provider.last.wait_gone()
    event = settled_of(house_apart, answer.headers["x-request-id"])
    assert (event.outcome, event.estimated) == ("aborted", True)
    assert event.usage["output"] >= 1


def test_a_caller_who_leaves_before_the_answer_pays_for_what_the_provider_did(house_apart: Apart, provider: Provider) -> None:
    gate = Gate()
    provider.then(Reply(gate_head=gate, pieces=said(CHAT.answer).pieces, sized=True))
    before = {line.id for line in lines_of(house_apart.home / "journal") if isinstance(line, UsageEvent)}
    with connected(house_apart.url) as opened:
        opened.sendall(posting(house_apart.url, CHAT.path, CHAT.body, CHAT.headers(house_apart.key)))
        gate.wait_reached()
    gate.open()

    def new() -> list[UsageEvent]:
        return [line for line in lines_of(house_apart.home / "journal") if isinstance(line, UsageEvent) and line.id not in before]

    wait_until(lambda: bool(new()))
    (event,) = new()
    assert (event.estimated, event.usage["output"]) == (False, 6)


def test_a_caller_who_does_not_read_holds_the_provider_back(house_apart: Apart, caller: httpx.Client, provider: Provider) -> None:
    piece = events({"id": "c", "choices": [{"index": 0, "delta": {"content": "x" * 65_000}}]}, done=False)
    before_end = Gate()
    provider.then(streamed(*[piece] * 500, before_end, *CHAT.pieces[-2:]))
    with caller.stream("POST", CHAT.path, json={**CHAT.body, **ASKING}, headers=CHAT.headers(house_apart.key)) as answer:
        pieces = answer.iter_raw()
        size = len(next(pieces))
        assert not before_end.reached.wait(0.5), "the provider could send everything though nobody read it"
        before_end.open()
        size += sum(len(piece) for piece in pieces)
    assert size == len(piece) * 500 + len(b"".join(CHAT.pieces[-2:]))


def test_a_killed_house_leaves_its_open_call_in_the_journal(tmp_path: Path, provider: Provider, provider_url: str) -> None:
    """What recovery needs after a kill -9 is on disk before the provider has even answered."""
    gate = Gate()
    provider.then(Reply(gate_head=gate))
    with apart("granian", tmp_path, provider_url) as house, connected(house.url) as opened:
        opened.sendall(posting(house.url, CHAT.path, CHAT.body, CHAT.headers(house.key)))
        gate.wait_reached()
        os.kill(house.pid, signal.SIGKILL)
        wait_until(lambda: len(lines_of(tmp_path / "journal")) == 1)
        (intent,) = lines_of(tmp_path / "journal")
    assert isinstance(intent, Intent)
    assert (intent.model, intent.deployment) == ("gpt", "gpt-real")


async def test_the_house_starts_on_its_first_request_where_no_lifespan_is_sent(
    tmp_path: Path, provider: Provider, provider_url: str
) -> None:
    house = House(tmp_path)
    standard(house.contents, house.team, provider_url)
    house.publish()
    provider.then(said(CHAT.answer))
    async with house.bare_client() as client:
        answer = await client.post(CHAT.path, json=CHAT.body, headers=CHAT.headers(house.key))
        ready = await client.get("/readyz")
    await house.kit.close()
    assert (answer.status_code, answer.json()) == (200, CHAT.answer)
    assert ready.json()["ready"] is True

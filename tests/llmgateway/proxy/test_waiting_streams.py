"""Streams that are silent for long: signs of life for the caller, timeouts of the model, and what is read when nobody listens."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import anthropic
import httpx
import openai
import pytest
from google import genai

from dataplane import relay
from tests.fakes.answers import TEXT
from tests.fakes.dialects import CHAT, MESSAGES, RESPONSES, Call
from tests.fakes.house import House
from tests.fakes.provider import Gate, Provider, Reply, said, streamed
from tests.llmgateway.dialects.bedrock_samples import BEGIN, delta, end, start, stop, stream

STREAMED = (CHAT, RESPONSES, MESSAGES)
each_stream = pytest.mark.parametrize("call", STREAMED, ids=lambda call: call.name)
BEATS = {"chat": b": keep-alive\n\n", "responses": b": keep-alive\n\n", "messages": b'event: ping\ndata: {"type": "ping"}\n\n'}
CONVERSED = stream(
    BEGIN, start(0), *(delta(0, text=word) for word in ("Hello ", "there, ", "whoever ", "you are.")), stop(0), *end("end_turn")
)
GEMINI_PIECES = (
    b'data: {"candidates":[{"content":{"parts":[{"text":"Hello"}],"role":"model"}}]}\r\n\r\n',
    b'data: {"candidates":[{"content":{"parts":[{"text":"."}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3}}\r\n\r\n',
)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life after every twentieth of a second."""
    monkeypatch.setattr(relay, "BEAT_AFTER", 0.05)


def later(gate: Gate) -> None:
    """Opens the gate when some signs of life have had the time to come."""
    timer = threading.Timer(0.25, gate.open)
    timer.daemon = True
    timer.start()


def timed(house: House, **limits: float) -> None:
    """The models of the house, with timeouts of their own."""
    contents = house.contents
    for name, record in list(contents.models.items()):
        contents.model(name, *record.deployments, **limits)
    house.publish()


def beats_of(answer: httpx.Response, beat: bytes, gate: Gate) -> bytes:
    """Reads until three beats have come, then lets the provider go on, to the end."""
    received = b""
    pieces = answer.iter_raw()
    while received.count(beat) < 3:
        received += next(pieces)
    gate.open()
    return received + b"".join(pieces)


@each_stream
@pytest.mark.parametrize("before", [0, 2])
def test_a_model_that_thinks_gives_signs_of_life_and_not_a_byte_is_lost(
    call: Call, before: int, house: House, provider: Provider, impatient: None
) -> None:
    gate, beat = Gate(), BEATS[call.name]
    provider.then(streamed(*call.pieces[:before], gate, *call.pieces[before:]))
    body = {**call.body, "stream": True, **({"stream_options": {"include_usage": True}} if call is CHAT else {})}
    with house.client() as client, client.stream("POST", call.path, json=body, headers=call.headers(house.key)) as answer:
        received = beats_of(answer, beat, gate)
    assert received.replace(beat, b"") == b"".join(call.pieces).replace(beat, b"")
    event = house.settled()
    assert (event.outcome, event.estimated) == ("ok", False)


def test_the_official_clients_read_over_signs_of_life(
    house: House, provider: Provider, impatient: None, client: openai.OpenAI, claude: anthropic.Anthropic
) -> None:
    def slow(pieces: tuple[bytes, ...]) -> Reply:
        gate = Gate()
        later(gate)
        return streamed(pieces[0], gate, *pieces[1:])

    provider.then(slow(CHAT.pieces))
    chunks = list(client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "?"}], stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TEXT

    provider.then(slow(RESPONSES.pieces))
    with client.responses.stream(model="gpt", input="?") as stream:
        assert stream.get_final_response().output_text == TEXT

    provider.then(slow(MESSAGES.pieces))
    with claude.messages.stream(model="claude", max_tokens=64, messages=[{"role": "user", "content": "?"}]) as answer:
        assert answer.get_final_text() == TEXT


@pytest.fixture
def gemini(house: House, provider_url: str) -> Iterator[genai.Client]:
    contents = house.contents
    contents.provider("google", provider_url, dialect="gemini")
    contents.grant(f"team:{house.team}", contents.model("flash", contents.deployment("google", "flash-real")))
    house.publish()
    opened = genai.Client(api_key=house.key, http_options={"base_url": house.url})
    yield opened
    opened.close()


def test_googles_client_reads_over_signs_of_life(house: House, provider: Provider, impatient: None, gemini: genai.Client) -> None:
    """It takes comments for broken JSON, so its signs of life are empty lines."""
    gate = Gate()
    later(gate)
    provider.then(streamed(GEMINI_PIECES[0], gate, GEMINI_PIECES[1]))
    assert [part.text for part in gemini.models.generate_content_stream(model="flash", contents="?")] == ["Hello", "."]


@each_stream
def test_after_a_sign_of_life_a_provider_that_dies_is_told_in_band(call: Call, house: House, provider: Provider, impatient: None) -> None:
    gate = Gate()
    provider.then(streamed(gate, end="cut"))
    with (
        house.client() as client,
        client.stream("POST", call.path, json={**call.body, "stream": True}, headers=call.headers(house.key)) as answer,
    ):
        received = beats_of(answer, BEATS[call.name], gate)
    assert answer.status_code == 200
    assert b"error" in received
    assert house.settled().outcome == "error"


@each_stream
def test_a_first_event_that_takes_too_long_is_a_504_and_another_deployment_is_tried(
    call: Call, house: House, provider: Provider, spare: tuple[Provider, str]
) -> None:
    other, url = spare
    contents = house.contents
    name = call.body["model"]
    dialect = "anthropic" if call.anthropic else "openai"
    contents.provider("spare", url + ("" if call.anthropic else "/v1"), dialect=dialect)
    own = contents.models[name].deployments
    contents.model(name, *own, contents.deployment("spare", "second", priority=1), first_token_timeout=0.2)
    house.publish()
    for reply in (streamed(Gate()), Reply(gate_head=Gate())):
        provider.then(reply)
        other.then(streamed(*call.pieces))
        answer = house.post(call, stream=True)
        assert answer.status_code == 200
        assert answer.headers["x-customhouse-route"].endswith("tries=2")
        assert [event.status for event in house.all_settled(2)] == [504, 200]

    contents.model(name, *own, first_token_timeout=0.2)
    house.publish()
    provider.then(streamed(Gate()))
    assert house.post(call, stream=True).status_code == 504
    assert (house.settled().estimated, provider.last.gone.wait(5)) == (True, True)


@each_stream
def test_a_pause_that_takes_too_long_ends_the_stream_with_an_error_of_the_dialect(call: Call, house: House, provider: Provider) -> None:
    timed(house, idle_timeout=0.2)
    provider.then(streamed(*call.pieces[:3], Gate()))
    answer = house.post(call, stream=True)
    assert answer.status_code == 200
    assert b"upstream_stalled" in answer.content or b"longer than 0.2 s" in answer.content
    event = house.settled()
    assert (event.outcome, event.status, event.estimated) == ("error", 504, True)
    provider.last.wait_gone()


def test_signs_of_life_of_the_provider_do_not_stand_in_for_an_event(house: House, provider: Provider) -> None:
    """Its comments keep the connection open, not the caller waiting."""
    timed(house, first_token_timeout=0.3)

    provider.then(streamed(b": processing\n\n", Gate()))
    assert house.post(MESSAGES, stream=True).status_code == 504
    assert house.settled().status == 504

    provider.then(streamed(b": processing\n\n", b": processing\n\n", *MESSAGES.pieces))
    assert house.post(MESSAGES, stream=True).content == b": processing\n\n" * 2 + b"".join(MESSAGES.pieces)


@pytest.fixture
def bedrock(house: House, provider_url: str) -> House:
    contents = house.contents
    contents.provider("aws", provider_url, dialect="bedrock")
    contents.grant(f"team:{house.team}", contents.model("nova", contents.deployment("aws", "amazon.nova-lite-v1:0")))
    house.publish()
    return house


def binary(*pieces: bytes | Gate) -> Reply:
    return Reply(headers=(("content-type", "application/vnd.amazon.eventstream"),), pieces=pieces)


def test_what_a_provider_bills_on_for_is_read_to_its_end_when_the_caller_leaves(bedrock: House, provider: Provider) -> None:
    half, gate = len(CONVERSED) // 2, Gate()
    provider.then(binary(CONVERSED[:half], gate, CONVERSED[half:]))
    with bedrock.client() as client:
        body = {**CHAT.body, "model": "nova", "stream": True}
        with client.stream("POST", CHAT.path, json=body, headers=CHAT.headers(bedrock.key)) as answer:
            next(answer.iter_raw())
            gate.wait_reached()
    bedrock.wait_until(lambda: all(exchange.gone for exchange in bedrock.kit.active))
    gate.open()
    provider.last.wait_answered()
    event = bedrock.settled()
    assert (event.outcome, event.estimated) == ("aborted", False)
    assert event.usage["output"] > 0


def test_a_drain_that_never_ends_is_given_up(bedrock: House, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "DRAIN_AT_MOST", 0.2)
    gate = Gate()
    provider.then(binary(CONVERSED[: len(CONVERSED) // 2], gate))
    with bedrock.client() as client:
        body = {**CHAT.body, "model": "nova", "stream": True}
        with client.stream("POST", CHAT.path, json=body, headers=CHAT.headers(bedrock.key)) as answer:
            next(answer.iter_raw())
            gate.wait_reached()
    event = bedrock.settled()
    assert (event.outcome, event.estimated) == ("aborted", True)
    provider.last.wait_gone()


def test_an_answer_in_one_piece_to_a_caller_who_streams_is_told_as_a_stream(bedrock: House, provider: Provider) -> None:
    message = {"output": {"message": {"role": "assistant", "content": [{"text": "Hello."}]}}, "stopReason": "end_turn"}
    provider.then(said({**message, "usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}}))
    answer = bedrock.http.post(CHAT.path, json={**CHAT.body, "model": "nova", "stream": True}, headers=CHAT.headers(bedrock.key))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content.endswith(b"data: [DONE]\n\n")
    assert bedrock.settled().usage["output"] == 2

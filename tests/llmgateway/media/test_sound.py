"""Speech and transcriptions through OpenAI's SDK: what is spoken passes as it comes, what is heard is metered as it is told."""

from __future__ import annotations

import json
import struct
from typing import Any

import httpx
import openai
import pytest

from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Gate, Provider, Reply, said, streamed

SOUND = bytes(range(256)) * 512
TOKENS = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}
TOKENS_OF_SOUND = {**TOKENS, "input_token_details": {"text_tokens": 4, "audio_tokens": 10}}


def spoken(*pieces: bytes | Gate, end: Any = "whole", sized: bool = False) -> Reply:
    return Reply(headers=(("content-type", "audio/mpeg"),), pieces=pieces, end=end, sized=sized)


def wav(seconds: int, rate: int = 8000) -> bytes:
    data = bytes(seconds * rate)
    head = struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVEfmt ", 16, 1, 1, rate, rate, 1, 8, b"data", len(data))
    return head + data


def test_speech_comes_byte_for_byte(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(spoken(SOUND[:1000], SOUND[1000:]))

    answer = client.audio.speech.create(model="voice", voice="alloy", input="Hello there, how are you?", response_format="mp3")

    assert answer.read() == SOUND
    assert answer.response.headers["content-type"] == "audio/mpeg"
    asked = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Hello there, how are you?", "response_format": "mp3"}
    assert provider.last.json == asked
    event = house.settled()
    assert (event.estimated, event.outcome) == (True, "ok")
    assert counted(event) == {"input": 7, "output": 35, "audio_output": 35}


def test_speech_is_heard_before_it_is_all_spoken(client: openai.OpenAI, provider: Provider) -> None:
    gate = Gate()
    provider.then(spoken(SOUND[:1000], gate, SOUND[1000:]))

    with client.audio.speech.with_streaming_response.create(model="voice", voice="alloy", input="Hello") as answer:
        pieces = answer.iter_bytes()
        first = next(pieces)
        gate.open()
        assert first + b"".join(pieces) == SOUND


def test_speech_as_events_is_metered_as_it_is_told(house: House, provider: Provider) -> None:
    delta = b'data: {"type":"speech.audio.delta","audio":"aGVsbG8="}\n\n'
    done = b'data: {"type":"speech.audio.done","usage":{"input_tokens":7,"output_tokens":31,"total_tokens":38}}\n\n'
    provider.then(streamed(delta, done))

    answer = house.http.post(
        "/v1/audio/speech",
        json={"model": "voice", "voice": "alloy", "input": "Hello", "stream_format": "sse"},
        headers={"authorization": f"Bearer {house.key}"},
    )

    assert answer.content == delta + done
    event = house.settled()
    assert (counted(event), event.estimated) == ({"input": 7, "output": 31}, False)


@pytest.mark.parametrize("sized", [False, True])
def test_speech_that_breaks_off_does_not_look_whole(sized: bool, house: House, provider: Provider) -> None:
    provider.then(spoken(SOUND, end="cut", sized=sized))

    with pytest.raises(httpx.RemoteProtocolError):
        house.http.post(
            "/v1/audio/speech",
            json={"model": "voice", "voice": "alloy", "input": "Hello"},
            headers={"authorization": f"Bearer {house.key}"},
        )

    event = house.settled()
    assert (event.outcome, event.estimated) == ("error", True)


def test_speech_without_a_byte_is_the_upstreams_fault(house: House, provider: Provider) -> None:
    provider.then(spoken())
    answer = house.http.post(
        "/v1/audio/speech", json={"model": "voice", "voice": "x", "input": "Hello"}, headers={"authorization": f"Bearer {house.key}"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")


def test_a_refusal_of_speech_passes(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(
        said({"error": {"message": "no such voice", "type": "invalid_request_error", "param": "voice", "code": None}}, status=400)
    )
    with pytest.raises(openai.BadRequestError, match="no such voice"):
        client.audio.speech.create(model="voice", voice="nobody", input="Hello")
    assert house.settled().cost == "0"


@pytest.mark.parametrize("changes", [{"input": None}, {"input": ["a"]}, {"model": None}])
def test_speech_of_nothing_is_refused_before_anything_leaves(changes: dict[str, Any], house: House, provider: Provider) -> None:
    body = {"model": "voice", "voice": "alloy", "input": "Hello", **changes}
    answer = house.http.post("/v1/audio/speech", json=body, headers={"authorization": f"Bearer {house.key}"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == next(iter(changes))
    assert provider.asked == []


# -- what is heard


def test_a_transcription_is_metered_by_its_tokens(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(said({"text": "Hello.", "usage": TOKENS_OF_SOUND}))

    answer = client.audio.transcriptions.create(model="ear", file=("a.mp3", SOUND), prompt="Greetings")

    assert answer.text == "Hello."
    asked = provider.last
    assert asked.path == "/v1/audio/transcriptions"
    assert SOUND in asked.body
    assert b"gpt-4o-transcribe" in asked.body
    assert b'filename="a.mp3"' in asked.body
    event = house.settled()
    assert (counted(event), event.estimated) == ({"input": 14, "audio_input": 10, "output": 45}, False)
    # 4 tokens of text at 2 USD a million, 10 of sound at 6, 45 of output at 10
    assert event.cost == "0.000518"


@pytest.mark.parametrize(
    "told",
    [
        {"text": "Hello.", "usage": {"type": "duration", "seconds": 9.5}},
        {"text": "Hello.", "duration": 9.47, "language": "english", "segments": []},
    ],
)
def test_a_transcription_is_metered_by_its_seconds(told: dict[str, Any], client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(said(told))
    client.audio.transcriptions.create(model="ear-timed", file=("a.mp3", SOUND), response_format="verbose_json")
    event = house.settled()
    assert (counted(event), event.estimated, event.cost) == ({"seconds": 10}, False, "0.001")


def text_of(kind: str, body: bytes) -> Reply:
    return Reply(headers=(("content-type", kind),), pieces=(body,), sized=True)


def test_a_transcription_as_text_passes_and_is_estimated_by_its_recording(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(text_of("text/plain; charset=utf-8", "Grüß Gott.\n".encode()))

    answer = client.audio.transcriptions.create(model="ear-timed", file=("a.wav", wav(7)), response_format="text")

    assert answer == "Grüß Gott.\n"
    event = house.settled()
    assert (counted(event)["seconds"], event.estimated, event.cost) == (8, True, "0.0008"), "seven seconds and the head of the file"


@pytest.mark.parametrize(
    ("form", "mark"),
    [("srt", "00:00:03,000 --> 00:01:12,250"), ("vtt", "00:03.000 --> 01:12.250"), ("vtt", "00:00:03.000 --> 00:01:12.250")],
)
def test_subtitles_pass_and_are_settled_by_their_last_mark(
    form: Any, mark: str, client: openai.OpenAI, house: House, provider: Provider
) -> None:
    body = f"1\n00:00:00,000 --> 00:00:03,000\nHello\n\n2\n{mark}\nthere\n"
    provider.then(text_of("text/plain", body.encode()))

    with pytest.warns(DeprecationWarning, match="deprecated"):
        told: Any = client.audio.translations.create(model="ear-timed", file=("a.mp3", SOUND), response_format=form)

    assert told == body

    assert provider.last.path == "/v1/audio/translations"
    event = house.settled()
    assert (counted(event)["seconds"], event.estimated) == (73, True)


def test_a_transcription_comes_as_a_stream(client: openai.OpenAI, house: House, provider: Provider) -> None:
    gate = Gate()
    done = {"type": "transcript.text.done", "text": "Hello.", "usage": TOKENS_OF_SOUND}
    provider.then(
        streamed(
            b'data: {"type":"transcript.text.delta","delta":"Hel"}\n\n',
            gate,
            b'data: {"type":"transcript.text.delta","delta":"lo."}\n\ndata: ' + json.dumps(done).encode() + b"\n\n",
        )
    )

    with client.audio.transcriptions.create(model="ear", file=("a.mp3", SOUND), stream=True) as stream:
        first = next(iter(stream))
        gate.open()
        rest = list(stream)

    assert first.type == "transcript.text.delta"
    assert [one.type for one in rest] == ["transcript.text.delta", "transcript.text.done"]
    assert b'name="stream"\r\n\r\ntrue' in provider.last.body
    event = house.settled()
    assert (counted(event), event.estimated) == ({"input": 14, "audio_input": 10, "output": 45}, False)


def test_a_stream_that_had_all_said_is_whole_however_its_connection_ends(house: House, provider: Provider) -> None:
    done = b'data: {"type":"speech.audio.done","usage":{"input_tokens":7,"output_tokens":31,"total_tokens":38}}\n\n'
    provider.then(streamed(done, end="cut"))

    answer = house.http.post(
        "/v1/audio/speech",
        json={"model": "voice", "voice": "alloy", "input": "Hello", "stream_format": "sse"},
        headers={"authorization": f"Bearer {house.key}"},
    )

    assert answer.content == done
    event = house.settled()
    assert (counted(event), event.estimated, event.outcome) == ({"input": 7, "output": 31}, False, "ok")


def test_what_a_recording_can_cost_is_reserved(house: House, client: openai.OpenAI, provider: Provider) -> None:
    provider.fallback = said({"text": "Hello."})
    house.contents.budget(f"team:{house.team}", 10**12)
    house.publish()

    client.audio.transcriptions.create(model="ear-timed", file=("a.wav", wav(30)))
    client.audio.transcriptions.create(model="ear-timed", file=("a.mp3", SOUND))
    client.audio.transcriptions.create(model="ear", file=("a.mp3", SOUND))

    timed, compressed, tokens = (house.reading.intents[event.id].reserve for event in house.all_settled(3))
    assert timed == 31 * 100_000, "what a file of this kind says of itself"
    assert compressed == (len(SOUND) // 1000 + 1) * 100_000
    assert tokens >= 1310 * (6_000 + 10_000), "tokens of sound, and of what is said in it"


def test_each_of_three_people_gets_what_is_granted(house: House, provider: Provider, team_mate: str, stranger: str) -> None:
    provider.fallback = said({"text": "Hello.", "usage": TOKENS})
    told = {}
    for who, key in (("owner", house.key), ("mate", team_mate), ("stranger", stranger)):
        answer = house.http.post(
            "/v1/audio/transcriptions",
            files={"file": ("a.mp3", SOUND)},
            data={"model": "ear"},
            headers={"authorization": f"Bearer {key}"},
        )
        told[who] = answer.status_code
    assert told == {"owner": 200, "mate": 200, "stranger": 404}
    assert [event.key_name for event in house.all_settled(2)] == ["desk-key", "mate"]
    assert len(provider.asked) == 2


def test_a_model_of_another_dialect_hears_nothing(house: House, provider: Provider) -> None:
    answer = house.http.post(
        "/v1/audio/transcriptions",
        files={"file": ("a.mp3", SOUND)},
        data={"model": "claude"},
        headers={"authorization": f"Bearer {house.key}"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "dialect_not_served")
    assert provider.asked == []


def test_a_second_provider_hears_the_same_recording(house: House, provider: Provider, serve: Any) -> None:
    other = Provider()
    contents = house.contents
    contents.provider("other", f"{serve(other)}/v1")
    places = (contents.deployment("openai", "first", priority=0), contents.deployment("other", "second-name", priority=1))
    contents.grant(f"team:{house.team}", contents.model("ears", *places))
    house.publish()
    provider.then(said({"error": {"message": "busy"}}, status=503))
    other.then(said({"text": "Hello.", "usage": TOKENS}))

    answer = house.http.post(
        "/v1/audio/transcriptions",
        files={"file": ("a.mp3", SOUND)},
        data={"model": "ears"},
        headers={"authorization": f"Bearer {house.key}", "idempotency-key": "mine"},
    )

    assert answer.status_code == 200
    assert provider.last.body == other.last.body.replace(b"second-name", b"first")
    assert provider.last.header("idempotency-key") == other.last.header("idempotency-key") not in (None, "mine")
    assert other.last.header("authorization") == "Bearer sk-other"
    assert [event.outcome for event in house.all_settled(2)] == ["error", "ok"]

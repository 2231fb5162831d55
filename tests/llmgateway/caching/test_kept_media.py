"""Images, sound and rankings are kept as texts are; a form is the same when its parts are, whatever parts them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.fakes.house import House
from tests.fakes.provider import Provider, Reply, said
from tests.llmgateway.caching.conftest import change_model, consent
from tests.llmgateway.media.conftest import lay_out

SOUND = b"ID3\x04" + bytes(range(256)) * 600
SPEECH = {"model": "voice", "input": "Say it.", "voice": "alloy"}
HEARD = {"text": "Hello.", "usage": {"type": "tokens", "input_tokens": 10, "output_tokens": 3, "total_tokens": 13}}


@pytest.fixture
def house(tmp_path: Path, provider: Provider, provider_url: str) -> Iterator[House]:
    with House(tmp_path) as opened:
        lay_out(opened, provider_url)
        for name in opened.contents.models:
            change_model(opened, name, cache_ttl=60)
        consent(opened, opened.key)
        opened.publish()
        yield opened


def hear(house: House, sound: bytes, boundary: str, *, once: str = "tape-1") -> httpx.Response:
    parts = [b'name="model"\r\n\r\near', b'name="file"; filename="a.mp3"\r\ncontent-type: audio/mpeg\r\n\r\n' + sound]
    mark = b"--" + boundary.encode()
    body = b"".join(mark + b"\r\ncontent-disposition: form-data; " + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    kind = f"multipart/form-data; boundary={boundary}"
    headers = {"authorization": f"Bearer {house.key}", "content-type": kind, **({"idempotency-key": once} if once else {})}
    return house.http.post("/v1/audio/transcriptions", content=body, headers=headers)


def test_a_form_that_is_sent_again_is_heard_once(house: House, provider: Provider) -> None:
    provider.fallback = said(HEARD)
    first, again = hear(house, SOUND, "a-first-boundary"), hear(house, SOUND, "another")
    assert first.status_code == 200, first.text
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert hear(house, SOUND[:-1], "a-first-boundary").status_code == 422
    assert len(provider.asked) == 1
    made, given = house.all_settled(2)
    assert given.saved == made.cost != "0"


def test_a_form_is_never_answered_from_the_cache(house: House, provider: Provider) -> None:
    """Its fields alone do not tell what was in its files."""
    provider.fallback = said(HEARD)
    for sound in (SOUND, SOUND[:-1]):
        assert "x-customhouse-cache" not in hear(house, sound, "boundary", once="").headers
    assert len(provider.asked) == 2


def test_speech_is_given_again_byte_for_byte(house: House, provider: Provider) -> None:
    provider.then(Reply(headers=(("content-type", "audio/mpeg"),), pieces=(SOUND[:1000], SOUND[1000:])))
    headers = {"authorization": f"Bearer {house.key}"}
    first, again = (house.http.post("/v1/audio/speech", json=SPEECH, headers=headers) for _ in range(2))
    assert first.content == again.content == SOUND
    assert again.headers["content-type"] == "audio/mpeg"
    assert (first.headers["x-customhouse-cache"], again.headers["x-customhouse-cache"]) == ("miss", "hit")


def test_sound_that_broke_off_is_spoken_again(house: House, provider: Provider) -> None:
    provider.then(Reply(headers=(("content-type", "audio/mpeg"),), pieces=(SOUND[:1000],), end="cut"))
    provider.then(Reply(headers=(("content-type", "audio/mpeg"),), pieces=(SOUND,)))
    headers = {"authorization": f"Bearer {house.key}", "idempotency-key": "speech-1"}
    with pytest.raises(httpx.RemoteProtocolError):
        house.http.post("/v1/audio/speech", json=SPEECH, headers=headers)
    second = house.http.post("/v1/audio/speech", json=SPEECH, headers=headers)
    assert second.content == SOUND
    assert "idempotent-replayed" not in second.headers

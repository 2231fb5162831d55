"""A recording's head says how long it is, and is its caller's own text: one that lies makes nothing cheaper."""

from __future__ import annotations

import struct

import httpx
import pytest

from tests.fakes.house import House
from tests.fakes.provider import Provider, said

BYTES = 320_000


def wav(*, kind: int = 1, channels: int = 1, samples: int = 8000, per_second: int = 8000, block: int = 1, bits: int = 8) -> bytes:
    sizes = (16, kind, channels, samples, per_second, block, bits, b"data", BYTES)
    return struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", 36 + BYTES, b"WAVEfmt ", *sizes) + bytes(BYTES)


def heard(house: House, provider: Provider, recording: bytes) -> int:
    """Seconds that a transcription is charged whose provider does not tell how long it was."""
    provider.then(said({"text": "hello"}))
    form = {"model": (None, "ear-timed"), "file": ("a.wav", recording, "audio/wav")}
    with httpx.Client(base_url=house.url, trust_env=False) as client:
        answer = client.post("/v1/audio/transcriptions", files=form, headers={"authorization": f"Bearer {house.key}"})
    assert answer.status_code == 200
    settled = house.settled()
    assert settled.estimated
    return settled.usage.get("seconds", 0) or settled.usage["audio_input"] // 10


def test_an_honest_head_is_believed(house: House, provider: Provider) -> None:
    assert heard(house, provider, wav()) == 41
    assert heard(house, provider, wav(channels=2, block=4, bits=16, per_second=32_000)) == 11


LIES = [
    {"per_second": 2**32 - 1},
    {"per_second": 320_000},
    {"samples": 2**32 - 1, "per_second": 2**32 - 1},
    {"channels": 60_000, "block": 60_000, "per_second": 480_000_000},
    {"kind": 0x55, "samples": 320_000, "per_second": 320_000},
    {"bits": 0, "block": 0, "per_second": 320_000},
]


@pytest.mark.parametrize("lie", LIES)
def test_a_head_that_lies_is_taken_for_none(lie: dict[str, int], house: House, provider: Provider) -> None:
    assert heard(house, provider, wav(**lie)) >= 20

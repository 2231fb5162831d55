"""Sound that breaks off, under the servers that run in production: its caller must not take what came for the whole."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.fakes.provider import Provider, Reply
from tests.fakes.served_house import apart


@pytest.mark.parametrize("server", ["granian", "daphne"])
def test_speech_that_breaks_off_is_cut(server: str, tmp_path: Path, running_provider: tuple[Provider, str], provider: Provider) -> None:
    sound = b"sound" * 20_000
    whole = Reply(headers=(("content-type", "audio/mpeg"),), pieces=(sound,))
    provider.then(whole, Reply(headers=whole.headers, pieces=whole.pieces, end="cut"), whole)
    with apart(server, tmp_path, running_provider[1]) as house, httpx.Client(base_url=house.url, timeout=20, trust_env=False) as http:

        def speak() -> bytes:
            body = {"model": "gpt", "voice": "alloy", "input": "Hello"}
            return http.post("/v1/audio/speech", json=body, headers={"authorization": f"Bearer {house.key}"}).content

        assert speak() == sound
        with pytest.raises(httpx.RemoteProtocolError):
            speak()
        assert speak() == sound, "the next call finds the house as it was"

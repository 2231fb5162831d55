"""How much a conversation holds by now: what the last response was told to have read and said, and what came since.

Audio is sent as base64. A second of PCM at 24 kHz is 64,000 characters, of G.711 it is 10,700; heard it makes 10 tokens,
spoken 20 (OpenAI's guide to realtime costs).
"""

from __future__ import annotations

from dataplane.call import Usage

MOST = 128_000
"""The largest context window there is; what does not fit is truncated by the provider."""

CHARACTERS_PER_TOKEN, FEWEST_PER_TOKEN = 4, 3
"""Of text: as a guess, and for the most that it can be."""

AUDIO_PER_TOKEN, FEWEST_AUDIO_PER_TOKEN = 6_400, 1_000
"""Base64 characters of audio that goes in: of PCM as a guess, of G.711 for the most that it can be."""

SPOKEN_PER_TOKEN = 3_200
"""Base64 characters of PCM that comes out."""


class Context:
    """Counts in tokens, of one conversation."""

    __slots__ = ("_audio", "_known", "_text")

    def __init__(self) -> None:
        self._known = 0
        self._text = 0
        self._audio = 0

    def add(self, characters: int, *, audio: bool) -> None:
        if audio:
            self._audio += characters
        else:
            self._text += characters

    def learn(self, tokens: int) -> None:
        """A response has read and said this much in all: the next one reads it again."""
        self._known, self._text, self._audio = tokens, 0, 0

    @property
    def most(self) -> int:
        """More than the next response can read."""
        return min(self._known + self._text // FEWEST_PER_TOKEN + self._audio // FEWEST_AUDIO_PER_TOKEN + 1, MOST)

    def likely(self) -> Usage:
        """What the next response is assumed to read where nobody will tell."""
        audio = self._audio // AUDIO_PER_TOKEN
        usage = {"input": min(self._known + self._text // CHARACTERS_PER_TOKEN + audio, MOST), "output": 0}
        return {**usage, "audio_input": min(audio, usage["input"])} if audio else usage

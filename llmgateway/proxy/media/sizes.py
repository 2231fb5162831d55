"""How much a call of one of these endpoints can use at the most, and how much it is likely to: what is reserved for it, and
what it is settled with where its provider tells nothing.

Both are the house's buckets. Images are bounded by the tokens that OpenAI's image models make of them (documentation of
GPT Image, "cost and latency": 4160 for a square megapixel of high quality), speech by its characters, a transcription by the
bytes of its recording: nothing in a compressed one says how long it is.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from dataplane.call import Usage
from dataplane.money import Rates, atto_to_nano
from llmgateway.proxy import body as bodies
from llmgateway.proxy.body import Fields
from llmgateway.proxy.inbound import Inbound
from llmgateway.proxy.media.forms import Upload
from llmgateway.proxy.media.inbound import FormInbound

MOST_BYTES_PER_TOKEN, BYTES_PER_TOKEN = 3, 4

SQUARE = 1024 * 1024
PER_SQUARE = {"low": 272, "medium": 1056, "high": 4160}
"""Tokens of an image of 1024 by 1024 by its quality."""

MOST_PER_SQUARE = 16_640
"""Of the qualities above, of which no figure is known: four times the dearest that is."""

LARGEST = 1024 * 1536
"""Pixels of an image whose size was left to the model."""

MOST_IMAGES = 1000
"""More than any provider makes in one call: larger numbers only serve to break arithmetic."""

IMAGE_INPUT, MOST_IMAGE_INPUT = 1500, 7000
"""Tokens of an image that is sent along; at the most with high fidelity."""

PARTIAL_IMAGE = 100
"""Tokens of each image that is shown before it is done."""

BYTES_PER_SECOND, LEAST_BYTES_PER_SECOND = 16_000, 1000
"""Of a compressed recording (128 kbit/s), and of one of the lowest quality in which speech is understood."""

MOST_BYTES_PER_SECOND = 192_000 * 8 * 4
"""Of an uncompressed one: eight channels of the finest sound that is recorded."""

_UNCOMPRESSED = frozenset({0x1, 0x3, 0xFFFE})
"""Kinds of WAV: whole numbers, floats, and either of them told at more length."""

TOKENS_PER_SECOND = 10
"""Of a recording that is heard, and from above of the words in it."""

CHARACTERS_PER_SECOND, SPOKEN_TOKENS_PER_SECOND = 15, 21
"""Of speech that is made: 21 tokens a second are 0.015 USD a minute at 12 USD a million."""

PER_SEARCH = 100
PIECE = 1000
"""A search ranks a hundred documents; a long one counts once for each piece of it (Cohere cuts at 500 tokens)."""

_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_strings = msgspec.json.Decoder(str)
_many = msgspec.json.Decoder(list[msgspec.Raw])


class Size(NamedTuple):
    most: Usage
    likely: Usage


Measure = Callable[[Inbound], Size]


def priced(rates: Rates | None, meter: str) -> bool:
    """Whether this price list has a price of such a unit."""
    return rates is not None and rates.charge({"requests": 0, meter: 1}) > 0


def most_cost(rates: Rates, most: Mapping[str, int]) -> int:
    """In 1e-9 USD: tokens at the dearest rate of their direction, and what is counted otherwise."""
    tokens = rates.reserve(
        input_tokens=most.get("input", 0), output_tokens=most.get("output", 0), spoken="audio_input" in most or "audio_output" in most
    )
    # One request is in there already.
    units = {"images": most.get("images", 0), "seconds": most.get("seconds", 0), "requests": max(most.get("requests", 1) - 1, 0)}
    return tokens + atto_to_nano(rates.charge(units))


def text_of(fields: Fields, name: str) -> str:
    """A text, "" where there is none: what else it may be is for the provider to refuse."""
    raw = fields.get(name)
    if raw is None:
        return ""
    try:
        return _strings.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _files(inbound: Inbound) -> list[Upload]:
    return inbound.form.files if isinstance(inbound, FormInbound) else []


def _length(inbound: Inbound) -> int:
    """Bytes of the text that is sent."""
    if isinstance(inbound, FormInbound):
        return sum(len(name) + len(text.encode()) for name, text in inbound.form.fields.items())
    return len(inbound.body)


def images(inbound: Inbound) -> Size:
    """Raises BadRequest for numbers that can't be counted with."""
    fields = inbound.fields
    count = min(max(bodies.integer(fields, "n") or 1, 1), MOST_IMAGES)
    frames = min(max(bodies.integer(fields, "frame_count") or 1, 1), MOST_IMAGES)
    shown = min(bodies.integer(fields, "partial_images") or 0, MOST_IMAGES)
    each, likely = _image_tokens(text_of(fields, "quality"), text_of(fields, "size"))
    sent, size = len(_files(inbound)), _length(inbound)
    most = {
        "input": size // MOST_BYTES_PER_TOKEN + 1 + sent * MOST_IMAGE_INPUT,
        "output": count * (each * frames + shown * PARTIAL_IMAGE),
        "images": count,
    }
    return Size(most, {"input": size // BYTES_PER_TOKEN + sent * IMAGE_INPUT, "output": count * likely * frames, "images": count})


def _image_tokens(quality: str, size: str) -> tuple[int, int]:
    """At the most, and likely."""
    pixels, found = LARGEST, _SIZE.fullmatch(size)
    if found is not None:
        pixels = max(int(found[1]) * int(found[2]), SQUARE // 4)
    known = PER_SQUARE.get(quality)
    most = MOST_PER_SQUARE if quality in ("xhigh", "max") else known or PER_SQUARE["high"]
    return -(-most * pixels // SQUARE), -(-(known or PER_SQUARE["medium"]) * pixels // SQUARE)


def speech(inbound: Inbound) -> Size:
    text, instructions = text_of(inbound.fields, "input"), text_of(inbound.fields, "instructions")
    size = len(text.encode()) + len(instructions.encode())
    spoken = -(-len(text) * SPOKEN_TOKENS_PER_SECOND // CHARACTERS_PER_SECOND)
    # A quarter of the usual speed, or a language of which a character is a word.
    most = {"input": size // MOST_BYTES_PER_TOKEN + 1, "output": 4 * spoken + 100, "audio_output": 4 * spoken + 100}
    return Size(most, {"input": -(-size // BYTES_PER_TOKEN), "output": spoken, "audio_output": spoken})


def recording(inbound: Inbound) -> Size:
    """Of what is heard. The text that is made of it has the form's other fields to go by (a prompt)."""
    most_seconds = likely_seconds = 0
    for file in _files(inbound):
        most, likely = _seconds(file)
        most_seconds, likely_seconds = most_seconds + most, likely_seconds + likely
    size = _length(inbound)
    return Size(_heard(most_seconds, size // MOST_BYTES_PER_TOKEN + 1), _heard(likely_seconds, size // BYTES_PER_TOKEN))


def _heard(seconds: int, prompt: int) -> Usage:
    tokens = seconds * TOKENS_PER_SECOND
    return {"input": tokens + prompt, "audio_input": tokens, "output": tokens, "seconds": seconds}


def _seconds(file: Upload) -> tuple[int, int]:
    """Of a WAV, whose head tells the bytes of a second, exact; of anything else at the most, and likely."""
    if per_second := _told_rate(file.head):
        seconds = -(-file.size // per_second)
        return seconds, seconds
    return file.size // LEAST_BYTES_PER_SECOND + 1, -(-file.size // BYTES_PER_SECOND)


def _told_rate(head: bytes) -> int:
    """Bytes of a second that a WAV's head tells, 0 where it is none. Players go by the samples, so a rate that does not follow
    from them is a lie: a long recording would pass for a moment."""
    if len(head) < 36 or head[:4] != b"RIFF" or head[8:16] != b"WAVEfmt ":
        return 0
    kind, channels, samples, per_second, block, bits = struct.unpack_from("<HHIIHH", head, 20)
    honest = kind in _UNCOMPRESSED and block * 8 == channels * bits and per_second == samples * block
    return per_second if honest and LEAST_BYTES_PER_SECOND <= per_second <= MOST_BYTES_PER_SECOND else 0


def text(inbound: Inbound) -> Size:
    """Of an endpoint that takes text and answers with figures."""
    size = len(inbound.body)
    return Size({"input": size // MOST_BYTES_PER_TOKEN + 1}, {"input": size // BYTES_PER_TOKEN})


def documents(inbound: Inbound) -> Size:
    """The query goes with every document."""
    raw: Any = inbound.fields.get("documents", msgspec.Raw(b"[]"))
    try:
        found = _many.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        found = []
    size, query = len(inbound.body), len(text_of(inbound.fields, "query").encode())
    together = size + query * max(len(found) - 1, 0)
    pieces = sum(1 + len(memoryview(document)) // PIECE for document in found)
    most = {"input": together // MOST_BYTES_PER_TOKEN + 1, "requests": max(-(-pieces // PER_SEARCH), 1)}
    return Size(most, {"input": together // BYTES_PER_TOKEN, "requests": max(-(-len(found) // PER_SEARCH), 1)})


def settled_with(likely: Usage, rates: list[Rates]) -> Usage:
    """What a call is settled with when nothing is told: by the unit that it has a price by, so that nothing is charged
    twice."""
    units = [meter for meter in ("images", "seconds", "requests") if meter in likely and any(priced(rate, meter) for rate in rates)]
    if units:
        return {meter: likely[meter] for meter in units}
    return {meter: count for meter, count in likely.items() if meter not in ("images", "seconds", "requests")}

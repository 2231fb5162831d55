"""Every recorded exchange of the Gemini API and of Vertex AI goes through the gateway unharmed.

Google's addresses name the model, so the gateway owns nothing of the bodies but a model's name inside of them (a batch of
embeddings). Everything else is compared with the record, byte for byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes.cassettes import Cassette, cases, select
from tests.fakes.contents import PRICE
from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Provider, recorded
from tests.fakes.recorded_usage import recorded_usage

KINDS = ("generateContent", "streamGenerateContent", "countTokens", "batchEmbedContents")
EXCHANGES = select(("google", "google-vertex"), KINDS)
STREAMS = [cassette for cassette in EXCHANGES if cassette.streamed]
ADDRESS = re.compile(r"(?P<base>.*?)(?:/publishers/google)?/models/(?P<model>[^:]+):(?P<method>\w+)")


def address(cassette: Cassette) -> dict[str, str]:
    found = ADDRESS.fullmatch(cassette.path)
    assert found is not None
    return found.groupdict()


def account(cassette: Cassette) -> str:
    """A provider for each project and location: Vertex has them in the address."""
    place = re.search(r"/projects/([^/]+)/locations/([^/]+)/", cassette.path)
    return cassette.provider if place is None else ".".join((cassette.provider, *place.groups()))


def alias(cassette: Cassette) -> str:
    return f"{account(cassette)}/{address(cassette)['model']}"


@pytest.fixture(scope="module")
def google_house(tmp_path_factory: pytest.TempPathFactory, provider_url: str) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("google")) as house:
        contents = house.contents
        for cassette in EXCHANGES:
            if account(cassette) not in contents.providers:
                contents.provider(account(cassette), provider_url + address(cassette)["base"], dialect="gemini")
            if alias(cassette) not in contents.models:
                resource = contents.model(alias(cassette), contents.deployment(account(cassette), address(cassette)["model"]))
                contents.grant(f"team:{house.team}", resource)
        house.publish()
        yield house


@pytest.fixture(scope="module")
def caller(google_house: House) -> Iterator[httpx.Client]:
    headers = {"x-goog-api-key": google_house.key, "content-type": "application/json"}
    with httpx.Client(base_url=google_house.url, headers=headers, timeout=30) as client:
        yield client


def call(caller: httpx.Client, cassette: Cassette, version: str = "v1beta") -> httpx.Response:
    body = json.loads(json.dumps(cassette.body).replace(f'"models/{address(cassette)["model"]}"', f'"models/{alias(cassette)}"'))
    query = f"?{cassette.query}" if cassette.query else ""
    return caller.post(f"/{version}/models/{alias(cassette)}:{address(cassette)['method']}{query}", json=body)


def assert_metered(house: House, cassette: Cassette) -> None:
    if cassette.kind == "countTokens":
        assert house.journaled() == [], "counting costs nothing"
        return
    event, expected = house.settled(), recorded_usage(cassette)
    assert (event.status, event.model, event.price) == (cassette.status, alias(cassette), PRICE.ref)
    if expected is not None:
        assert not event.estimated
        assert counted(event) == expected
    elif cassette.status == 200:
        assert event.estimated, "an answer that does not say what was used is settled as an estimate"
    else:
        assert (event.outcome, event.usage, event.cost) == ("error", {}, "0")


@pytest.mark.parametrize("version", ["v1beta", "v1"])
@pytest.mark.parametrize("cassette", cases(EXCHANGES))
def test_a_recorded_exchange_passes_unharmed_and_is_metered(
    cassette: Cassette, version: str, caller: httpx.Client, google_house: House, provider: Provider
) -> None:
    """Google's SDK asks below /v1beta, and since its third version below /v1."""
    provider.then(recorded(cassette))

    answer = call(caller, cassette, version)

    assert (answer.status_code, answer.content) == (cassette.status, cassette.answer)
    assert answer.headers["content-type"] == cassette.content_type
    assert (provider.last.path, provider.last.query) == (cassette.path, cassette.query)
    assert provider.last.json == cassette.body
    assert provider.last.header("x-goog-api-key") == f"sk-{account(cassette)}"
    assert google_house.key not in str(provider.last.headers)
    assert_metered(google_house, cassette)


def awkward_cuts(answer: bytes) -> Iterator[int]:
    """Inside every UTF-8 character, between the line ends of a pair, inside `data:`, inside JSON and its strings."""
    for at in range(1, len(answer)):
        inside_character = answer[at] & 0xC0 == 0x80
        between_line_ends = answer[at - 1] in b"\r\n" and answer[at] in b"\r\n"
        inside_field = answer[at - 2 : at + 3] == b"data:"
        if inside_character or between_line_ends or inside_field or at % 97 == 0:
            yield at


@pytest.mark.parametrize("cassette", cases(STREAMS))
@pytest.mark.parametrize("spelling", ["lf", "crlf", "bytewise"])
def test_a_stream_survives_any_split_of_its_bytes(
    cassette: Cassette, spelling: str, caller: httpx.Client, google_house: House, provider: Provider
) -> None:
    answer = cassette.answer.replace(b"\r\n", b"\n")
    if spelling == "crlf":
        answer = answer.replace(b"\n", b"\r\n")
    cuts = range(1, min(len(answer), 1500)) if spelling == "bytewise" else awkward_cuts(answer)
    respelled = cassette.with_answer(answer)
    provider.then(recorded(respelled, cuts))

    assert call(caller, cassette).content == answer
    assert_metered(google_house, respelled)


def as_array(stream: bytes) -> bytes:
    """The same answer as Google gives it to a caller who does not ask for server-sent events: one JSON array."""
    events: list[Any] = [line[6:] for line in stream.replace(b"\r\n", b"\n").split(b"\n") if line.startswith(b"data: ")]
    return b"[" + b",\r\n".join(events) + b"]"


@pytest.mark.parametrize("cassette", cases(STREAMS))
def test_a_stream_that_is_one_json_array_passes_as_it_comes_and_is_metered(
    cassette: Cassette, caller: httpx.Client, google_house: House, provider: Provider
) -> None:
    answer = as_array(cassette.answer)
    plain = Cassette(**{**cassette.__dict__, "answer": answer, "query": "", "content_type": "application/json; charset=UTF-8"})
    provider.then(recorded(plain, awkward_cuts(answer)))

    received = call(caller, plain)

    assert received.content == answer
    event = google_house.settled()
    assert counted(event) == recorded_usage(cassette)
    assert event.ttft_ms is not None, "it was relayed as it came"


def test_the_corpus_is_whole() -> None:
    if not EXCHANGES:
        pytest.skip("no recorded exchanges here: set CUSTOMHOUSE_CASSETTES")
    assert (len(EXCHANGES), len(STREAMS)) == (150, 10)

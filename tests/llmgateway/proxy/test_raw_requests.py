"""Requests that no honest client sends, as bytes, against the servers that the house runs on.

Where a server refuses by itself, before the house sees the request, its own answer is as good: what counts is that the
request is refused, that nothing behind it on the connection is taken for a second request, and that the house lives on.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.fakes.dialects import CHAT
from tests.fakes.provider import Provider, said
from tests.fakes.served_house import Apart, apart
from tests.fakes.wire import RawAnswer, answer_on, connected, exchange, head, posting

SMUGGLED = head("POST", "/v1/chat/completions", [("host", "x"), ("content-length", "2")]) + b"{}"


@pytest.fixture(scope="module", params=["granian", "daphne"])
def house_apart(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, provider_url: str) -> Iterator[Apart]:
    with apart(request.param, tmp_path_factory.mktemp(request.param), provider_url) as running:
        yield running


def auth(house: Apart) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {house.key}")]


def host(house: Apart) -> tuple[str, str]:
    return ("host", urlsplit(house.url).netloc)


def assert_alive(house: Apart, provider: Provider) -> None:
    """Nothing has reached the provider, and an honest call still does."""
    assert provider.asked == []
    provider.then(said(CHAT.answer))
    answer = exchange(house.url, posting(house.url, CHAT.path, CHAT.body, auth(house)))
    assert (answer.status, answer.json) == (200, CHAT.answer)


def test_an_honest_call_passes(house_apart: Apart, provider: Provider) -> None:
    assert_alive(house_apart, provider)


def test_two_lengths_that_disagree_are_refused(house_apart: Apart, provider: Provider) -> None:
    lengths = [host(house_apart), ("content-length", "2"), ("content-length", "50"), *auth(house_apart)]
    refused(exchange(house_apart.url, head("POST", CHAT.path, lengths) + b"{}" + SMUGGLED), 400)
    assert_alive(house_apart, provider)


def test_a_length_beside_a_transfer_encoding_is_refused_and_smuggles_nothing(house_apart: Apart, provider: Provider) -> None:
    both = [host(house_apart), ("content-length", "5"), ("transfer-encoding", "chunked"), *auth(house_apart)]
    with connected(house_apart.url) as opened:
        opened.sendall(head("POST", CHAT.path, both) + b"0\r\n\r\n" + SMUGGLED)
        refused(answer_on(opened), 400)
        assert answer_on(opened).status in (0, 400, 401), "what followed was taken for an honest request"
    assert_alive(house_apart, provider)


@pytest.mark.parametrize("value", ["-1", "+5", "0x10", "5, 5", "1e3", "99999999999999999999999999", "\u00b2"])
def test_a_length_that_is_no_number_is_refused(house_apart: Apart, value: str, provider: Provider) -> None:
    odd = [host(house_apart), ("content-length", value), *auth(house_apart)]
    refused(exchange(house_apart.url, head("POST", CHAT.path, odd) + b"{}"), 400, 413)
    assert_alive(house_apart, provider)


@pytest.mark.parametrize("value", ["identity, chunked", "chunked, identity", "xchunked", "gzip, chunked"])
def test_a_transfer_encoding_that_is_not_plainly_chunked_is_refused(house_apart: Apart, value: str, provider: Provider) -> None:
    odd = [host(house_apart), ("transfer-encoding", value), *auth(house_apart)]
    refused(exchange(house_apart.url, head("POST", CHAT.path, odd) + b"2\r\n{}\r\n0\r\n\r\n"), 400, 501)
    assert_alive(house_apart, provider)


def test_two_hosts_are_refused(house_apart: Apart, provider: Provider) -> None:
    refused(exchange(house_apart.url, posting(house_apart.url, CHAT.path, CHAT.body, [("host", "evil"), *auth(house_apart)])), 400)
    assert_alive(house_apart, provider)


def test_two_keys_are_refused(house_apart: Apart, provider: Provider) -> None:
    two = [*auth(house_apart), ("authorization", "Bearer ch_00000000_other")]
    refused(exchange(house_apart.url, posting(house_apart.url, CHAT.path, CHAT.body, two)), 400)
    assert_alive(house_apart, provider)


def test_too_many_headers_are_refused(house_apart: Apart, provider: Provider) -> None:
    many = [(f"x-{number}", "y") for number in range(150)]
    refused(exchange(house_apart.url, posting(house_apart.url, CHAT.path, CHAT.body, [*many, *auth(house_apart)])), 400, 431)
    assert_alive(house_apart, provider)


def test_a_header_too_large_is_refused(house_apart: Apart, provider: Provider) -> None:
    large = [("x-large", "y" * 17_000), *auth(house_apart)]
    refused(exchange(house_apart.url, posting(house_apart.url, CHAT.path, CHAT.body, large)), 400, 431)
    assert_alive(house_apart, provider)


@pytest.mark.parametrize("line", ["x-odd : 1", "x\x00odd: 1", " folded: 1", "no-colon", "x-nul: a\x00b"])
def test_a_malformed_header_line_is_refused(house_apart: Apart, line: str, provider: Provider) -> None:
    good = posting(house_apart.url, CHAT.path, CHAT.body, auth(house_apart))
    start, rest = good.split(b"\r\n", 1)
    refused(exchange(house_apart.url, start + b"\r\n" + line.encode("latin-1") + b"\r\n" + rest), 400)
    assert_alive(house_apart, provider)


def test_a_declared_body_past_the_limit_is_refused_before_it_is_sent(house_apart: Apart, provider: Provider) -> None:
    huge = [host(house_apart), ("content-length", str(64 * 1024 * 1024)), *auth(house_apart)]
    refused(exchange(house_apart.url, head("POST", CHAT.path, huge) + b"{"), 413)
    assert_alive(house_apart, provider)


def test_a_body_that_never_ends_is_refused_at_the_limit(house_apart: Apart, provider: Provider) -> None:
    endless = [host(house_apart), ("transfer-encoding", "chunked"), *auth(house_apart)]
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    refused(exchange(house_apart.url, head("POST", CHAT.path, endless) + chunk * 40), 413)
    assert_alive(house_apart, provider)


def test_a_request_that_stops_half_way_reaches_no_provider(house_apart: Apart, provider: Provider) -> None:
    whole = posting(house_apart.url, CHAT.path, CHAT.body, auth(house_apart))
    with connected(house_apart.url) as opened:
        opened.sendall(whole[:-5])
    assert_alive(house_apart, provider)


def refused(answer: RawAnswer, *statuses: int) -> None:
    """By an answer, or by a closed connection where a server prefers that to answering bytes it can't trust."""
    assert answer.status in (0, *statuses), (answer.status, answer.body[:200])

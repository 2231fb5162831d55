"""Asking a provider for its models: what is sent in each dialect, what is read, and what a person is told when it fails."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

import pytest

from llmgateway import actions
from llmgateway.models import Provider
from llmgateway.offers import NotAModelList, read_page
from llmgateway.probe import probe
from tests.fakes.provider import Gate, Reply, said, zipped
from tests.fakes.provider import Provider as Vendor
from tests.llmgateway.conftest import CANARY, MakeProvider

LIST = {"object": "list", "data": [{"id": "small"}, {"id": "large"}, {"id": "small"}]}
AWS_KEYS = json.dumps({"access_key_id": "AKIDEXAMPLE", "secret_access_key": "very-secret"})

ANSWERS = {
    "openai": LIST,
    "anthropic": {"data": [{"id": "small", "type": "model"}, {"id": "large"}], "has_more": False, "last_id": "large"},
    "gemini": {"models": [{"name": "models/small"}, {"name": "models/large"}]},
    "bedrock": {"modelSummaries": [{"modelId": "small"}, {"modelId": "large"}]},
    "cohere": {"models": [{"name": "small"}, {"name": "large"}]},
}
ASKED = {
    "openai": ("/models", "", "authorization", f"Bearer {CANARY}"),
    "anthropic": ("/v1/models", "limit=1000", "x-api-key", CANARY),
    "gemini": ("/v1beta/models", "pageSize=1000", "x-goog-api-key", CANARY),
    "bedrock": ("/foundation-models", "", "authorization", f"Bearer {CANARY}"),
    "cohere": ("/v1/models", "page_size=1000", "authorization", f"Bearer {CANARY}"),
}


def at(make_provider: MakeProvider, url: str, **fields: Any) -> Provider:
    given = {"base_url": url, "allow_private_network": True, "api_key": CANARY, **fields}
    return Provider.objects.get(pk=make_provider(**given).pk)


@pytest.mark.parametrize("dialect", list(ANSWERS))
def test_each_dialect_is_asked_in_its_own_way(make_provider: MakeProvider, vendor: Vendor, vendor_url: str, dialect: str) -> None:
    vendor.then(said(ANSWERS[dialect]))
    finding = probe(at(make_provider, vendor_url, dialect=dialect, headers={"x-project": "p1"}))

    assert finding.problem is None
    assert finding.models == ("small", "large")
    assert finding.latency_ms is not None
    path, query, header, value = ASKED[dialect]
    asked = vendor.last
    assert (asked.method, asked.path, asked.query, asked.header(header)) == ("GET", path, query, value)
    assert asked.header("x-project") == "p1"
    assert asked.header("anthropic-version") == ("2023-06-01" if dialect == "anthropic" else None)


@pytest.mark.parametrize(("dialect", "path"), [("anthropic", "/v1/models"), ("gemini", "/v1beta/models"), ("cohere", "/v1/models")])
def test_a_version_that_is_written_in_the_address_is_not_added_again(
    make_provider: MakeProvider, vendor: Vendor, vendor_url: str, dialect: str, path: str
) -> None:
    vendor.then(said(ANSWERS[dialect]))
    assert probe(at(make_provider, vendor_url + path.removesuffix("/models"), dialect=dialect)).ok
    assert vendor.last.path == path


def test_without_a_credential_none_is_sent(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    for dialect, answer in ANSWERS.items():
        vendor.then(said(answer))
        assert probe(at(make_provider, vendor_url, dialect=dialect, api_key=None)).ok
        assert {"authorization", "x-api-key", "x-goog-api-key"}.isdisjoint(name for name, _ in vendor.last.headers)


def test_access_keys_sign_the_request_and_stay_at_home(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    vendor.then(said(ANSWERS["bedrock"]))
    assert probe(at(make_provider, vendor_url, dialect="bedrock", api_key=AWS_KEYS)).ok
    authorization = vendor.last.header("authorization") or ""
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/us-east-1/bedrock/aws4_request" in authorization
    assert not any("very-secret" in value for _, value in vendor.last.headers)


def test_a_credential_that_the_dialect_can_not_use_is_told_apart(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    finding = probe(at(make_provider, vendor_url, dialect="bedrock", api_key='{"access_key_id": "AKID"}'))
    assert finding.problem is not None
    assert "secret_access_key" in finding.problem.advice
    assert not vendor.asked


@pytest.mark.parametrize(
    ("dialect", "pages", "queries"),
    [
        (
            "anthropic",
            [{"data": [{"id": "a"}], "has_more": True, "last_id": "a"}, {"data": [{"id": "b"}], "has_more": False}],
            ["limit=1000", "limit=1000&after_id=a"],
        ),
        (
            "gemini",
            [{"models": [{"name": "models/a"}], "nextPageToken": "t/1"}, {"models": [{"name": "models/b"}]}],
            ["pageSize=1000", "pageSize=1000&pageToken=t%2F1"],
        ),
        (
            "cohere",
            [{"models": [{"name": "a"}], "next_page_token": "t"}, {"models": [{"name": "b"}], "next_page_token": None}],
            ["page_size=1000", "page_size=1000&page_token=t"],
        ),
    ],
)
def test_a_list_in_pages_is_followed_to_its_end(
    make_provider: MakeProvider, vendor: Vendor, vendor_url: str, dialect: str, pages: list[Any], queries: list[str]
) -> None:
    vendor.then(*map(said, pages))
    assert probe(at(make_provider, vendor_url, dialect=dialect), pages=10).models == ("a", "b")
    assert [asked.query for asked in vendor.asked] == queries


def test_a_list_that_never_ends_is_left_after_ten_pages(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    vendor.then(*(said({"models": [{"name": f"m{n}"}], "nextPageToken": f"t{n}"}) for n in range(20)))
    assert len(probe(at(make_provider, vendor_url, dialect="gemini"), pages=99).models) == 10
    assert len(vendor.asked) == 10


def told(provider: Provider) -> str:
    finding = probe(provider)
    assert not finding.ok
    assert CANARY not in finding.sentence
    return finding.sentence


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            said({"error": {"message": "Incorrect API key provided"}}, status=401),
            ["401", "Incorrect API key provided", "credential was refused"],
        ),
        (said({"error": {"message": f"no such key: {CANARY}"}}, status=401), ["no such key: •••"]),
        (said({"message": "forbidden"}, status=403), ["403", "forbidden", "permissions"]),
        (said({"detail": "Not Found"}, status=404), ["404", "base URL"]),
        (said({"error": "slow down"}, status=429), ["429", "slow down", "credit"]),
        (said({}, status=500), ["500", "status page"]),
        (Reply(status=503, headers=(("content-type", "text/html"),), pieces=(b"<h1>busy</h1>",)), ["503"]),
        (said({}, status=302, headers=[("location", f"https://other.example/v1?k={CANARY}")]), ["redirects to https://other.example/v1."]),
        (Reply(headers=(("content-type", "text/html"),), pieces=(b"<html>",)), ["not JSON (text/html)", "https://api.openai.com/v1"]),
        (said({"hello": "world"}), ["not a list of models", "OpenAI"]),
        (said("just a text"), ["not a list of models"]),
        (said({"data": {"id": "x"}}), ["not a list of models"]),
        (said({"data": [{"name": "x"}]}), ["not a list of models"]),
        (Reply(pieces=(b'{"data": [',), sized=True, end="cut"), ["without a complete answer"]),
        (Reply(pieces=(b"[" * 100_000,), sized=True), ["not JSON"]),
        (zipped(b" " * (12 * 1024 * 1024)), ["without a complete answer"]),
    ],
    ids=lambda value: None,
)
def test_what_goes_wrong_is_told_with_what_to_do(local_provider: Provider, vendor: Vendor, reply: Reply, words: list[str]) -> None:
    vendor.then(reply)
    sentence = told(Provider.objects.get())
    for word in words:
        assert word in sentence


def test_a_missing_credential_is_told_as_missing(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    vendor.then(said({}, status=401))
    provider = at(make_provider, vendor_url, api_key=None, vendor="openai")
    assert "No credential is stored. Make a key at platform.openai.com/api-keys" in told(provider)


def test_a_port_where_nobody_listens_is_told_as_such(make_provider: MakeProvider) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert f"Nothing accepts connections at 127.0.0.1:{port}" in told(at(make_provider, f"http://127.0.0.1:{port}/v1"))


def test_a_name_that_does_not_exist_is_told_as_such(make_provider: MakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    sentence = told(at(make_provider, "https://no-such-host.invalid/v1"))
    assert "no-such-host.invalid" in sentence
    assert "spelling" in sentence


def test_a_server_that_speaks_no_tls_is_told_as_such(make_provider: MakeProvider, vendor_url: str) -> None:
    assert "certificate" in told(at(make_provider, vendor_url.replace("http:", "https:")))


def test_a_silent_provider_is_left_after_a_while(local_provider: Provider, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmgateway.probe.TIMEOUT", 0.2)
    gate = Gate()
    vendor.then(Reply(gate_head=gate))
    try:
        assert "did not answer in time" in told(Provider.objects.get())
    finally:
        gate.open()


def test_an_address_that_turns_private_after_it_was_stored_is_not_called(local_provider: Provider, vendor: Vendor) -> None:
    Provider.objects.update(allow_private_network=False)
    assert "allow private network" in told(Provider.objects.get())
    assert not vendor.asked


def test_a_credential_sealed_with_a_lost_key_is_told_as_such(local_provider: Provider, vendor: Vendor) -> None:
    Provider.objects.update(credential=b"\x01" + b"x" * 120)
    assert "enter the credential again" in told(Provider.objects.get())
    assert not vendor.asked


def test_names_that_could_not_be_names_are_left_out() -> None:
    page = read_page(
        "openai", {"data": [{"id": "ok"}, {"id": "two words"}, {"id": "x" * 201}, {"id": 5}, {"id": ""}, {"id": "line\nbreak"}]}
    )
    assert page.names == ("ok",)


@pytest.mark.parametrize("dialect", list(ANSWERS))
@pytest.mark.parametrize("answer", [None, 5, "x", {}, [], [[]], {"data": None}, {"data": [None]}, {"models": [1]}, {"modelSummaries": {}}])
def test_no_answer_breaks_a_reader(dialect: str, answer: Any) -> None:
    with contextlib.suppress(NotAModelList):
        assert read_page(dialect, answer).names == ()


def test_a_bare_list_is_read_as_together_sends_it() -> None:
    assert read_page("openai", [{"id": "a"}, {"id": "b"}]).names == ("a", "b")


def test_a_retest_after_a_new_credential_heals(local_provider: Provider, vendor: Vendor) -> None:
    vendor.then(said({}, status=401), said(LIST))
    provider = Provider.objects.get()
    actions.record_health(actor=None, provider=provider, error=probe(provider).sentence)
    actions.set_credential(actor=None, provider=provider, api_key="sk-good")
    provider = Provider.objects.get()
    assert provider.health == "unknown"
    finding = probe(provider)
    assert actions.record_health(actor=None, provider=provider, error=finding.sentence, latency_ms=finding.latency_ms).health == "healthy"
    assert vendor.last.header("authorization") == "Bearer sk-good"

"""Vendors whose account is proved in ways of their own: Azure's header, a Google service account; and what pages tell of vendors."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from django.urls import reverse

from identity.models import User
from llmgateway.models import Provider
from llmgateway.probe import probe
from llmgateway.proxy.providers import LOCAL_VENDORS, UNKNOWN, VENDORS, facts_of
from llmgateway.vendor_words import PROOFS, SLOTS, WIRES, portrait
from tests.fakes.provider import Provider as Vendor
from tests.fakes.provider import said
from tests.llmgateway.conftest import CANARY, MakeProvider, sign_in

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
TOKEN = "ya29.token-canary"
OFFERED = {"publisherModels": [{"name": "publishers/google/models/gemini-2.5-flash"}, {"name": "publishers/google/models/gemini-2.5-pro"}]}


def key_file(url: str, **more: str) -> str:
    return json.dumps({"client_email": "house@p.iam", "private_key": PEM, "private_key_id": "k1", "token_uri": f"{url}/token", **more})


def vertex(make_provider: MakeProvider, url: str, credential: str | None) -> Provider:
    base_url = f"{url}/v1/projects/p/locations/europe-west4"
    made = make_provider(dialect="gemini", vendor="google-vertex", base_url=base_url, allow_private_network=True, api_key=credential)
    return Provider.objects.get(pk=made.pk)


def test_azure_takes_its_key_in_its_own_header(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    vendor.then(said({"data": [{"id": "gpt-4o"}]}))
    made = make_provider(vendor="azure", base_url=f"{vendor_url}/openai/v1", allow_private_network=True, api_key=CANARY)
    assert probe(Provider.objects.get(pk=made.pk)).models == ("gpt-4o",)
    assert (vendor.last.path, vendor.last.header("api-key"), vendor.last.header("authorization")) == ("/openai/v1/models", CANARY, None)


def test_a_service_accounts_key_is_exchanged_for_a_token(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    vendor.then(said({"access_token": TOKEN, "expires_in": 3599}), said(OFFERED))
    finding = probe(vertex(make_provider, vendor_url, key_file(vendor_url)))
    assert (finding.problem, finding.models) == (None, ("gemini-2.5-flash", "gemini-2.5-pro"))
    exchange, listing = vendor.asked
    assert (exchange.method, exchange.path) == ("POST", "/token")
    form = {name: values[0] for name, values in parse_qs(exchange.body.decode()).items()}
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(form["assertion"], KEY.public_key(), algorithms=["RS256"], audience=f"{vendor_url}/token")
    assert (claims["iss"], claims["scope"]) == ("house@p.iam", "https://www.googleapis.com/auth/cloud-platform")
    assert jwt.get_unverified_header(form["assertion"])["kid"] == "k1"
    assert (listing.path, listing.header("authorization")) == ("/v1beta1/publishers/google/models", f"Bearer {TOKEN}")
    assert not any("PRIVATE KEY" in value for asked in vendor.asked for _, value in asked.headers)


def test_one_token_is_enough_for_all_pages(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    vendor.then(said({"access_token": TOKEN}), said({**OFFERED, "nextPageToken": "2"}), said(OFFERED))
    assert probe(vertex(make_provider, vendor_url, key_file(vendor_url)), pages=10).ok
    assert [asked.path for asked in vendor.asked].count("/token") == 1


def test_a_plain_key_of_vertex_goes_without_an_exchange(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    vendor.then(said(OFFERED))
    assert probe(vertex(make_provider, vendor_url, CANARY)).ok
    assert (vendor.last.header("x-goog-api-key"), vendor.last.header("authorization")) == (CANARY, None)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, 400, "answered 400: Invalid JWT Signature."),
        ({"error": "unauthorized_client"}, 401, "answered 401: unauthorized_client"),
        ({"token_type": "Bearer"}, 200, "answered 200"),
        (["nothing"], 500, "answered 500"),
    ],
)
def test_an_account_that_is_refused_is_told_apart_from_a_provider_that_is(
    make_provider: MakeProvider, vendor: Vendor, vendor_url: str, answer: object, status: int, words: str
) -> None:
    vendor.then(said(answer, status=status))
    finding = probe(vertex(make_provider, vendor_url, key_file(vendor_url)))
    assert finding.problem is not None
    assert words in finding.problem.error
    assert "make a new key" in finding.problem.advice
    assert len(vendor.asked) == 1


@pytest.mark.parametrize(
    "credential",
    [
        '{"type": "authorized_user"}',
        json.dumps({"client_email": "a", "private_key": "no key"}),
        json.dumps({"client_email": 1, "private_key": PEM}),
    ],
)
def test_what_is_no_service_accounts_key_is_refused_before_anything_is_asked(
    make_provider: MakeProvider, vendor: Vendor, vendor_url: str, credential: str
) -> None:
    finding = probe(vertex(make_provider, vendor_url, credential))
    assert finding.problem is not None
    assert "JSON key file of a service account" in finding.problem.advice
    assert not vendor.asked


def test_a_json_object_is_no_key_of_a_vendor_that_takes_plain_ones(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    made = make_provider(base_url=vendor_url, allow_private_network=True, api_key=key_file(vendor_url))
    finding = probe(Provider.objects.get(pk=made.pk))
    assert finding.problem is not None
    assert "takes an API key" in finding.problem.advice
    assert not vendor.asked


def test_the_token_service_is_held_to_the_same_addresses_as_the_provider(
    make_provider: MakeProvider, vendor: Vendor, vendor_url: str
) -> None:
    credential = key_file("http://169.254.169.254")
    finding = probe(vertex(make_provider, vendor_url, credential))
    assert finding.problem is not None
    assert not vendor.asked
    made = make_provider(dialect="gemini", base_url="https://europe-west4-aiplatform.googleapis.com/v1", api_key=key_file(vendor_url))
    finding = probe(Provider.objects.get(pk=made.pk))
    assert finding.problem is not None
    assert not vendor.asked, "a provider without leave to reach the private network may not do so through its token service"


def test_neither_key_nor_token_comes_back_in_what_is_told(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    vendor.then(said({"access_token": TOKEN}), said({"error": {"message": f"bad token {TOKEN} of house@p.iam"}}, status=401))
    finding = probe(vertex(make_provider, vendor_url, key_file(vendor_url)))
    assert TOKEN not in finding.sentence
    assert "house@p.iam" not in finding.sentence
    assert "console.cloud.google.com" in finding.sentence


def test_every_fact_of_every_vendor_has_words() -> None:
    every = (*VENDORS, *LOCAL_VENDORS, *UNKNOWN.values())
    assert {wire for facts in every for wire in facts.wires} <= set(WIRES)
    assert {facts.auth for facts in every} <= set(PROOFS)
    assert {slot for facts in every for slot in facts.lacks | facts.adds} <= set(SLOTS)
    for facts in every:
        shown = portrait(facts)
        assert shown.known == bool(facts.slug)
        assert all(name in facts.base_url for name, _ in shown.fields)
        assert ("<" in facts.base_url) == bool(shown.fields)


def test_a_providers_page_tells_what_its_vendor_speaks_and_lacks(client: Client, admin: User, make_provider: MakeProvider) -> None:
    sign_in(client, admin)
    html = client.get(
        reverse("admin:llmgateway_provider_change", args=(make_provider(base_url="https://api.mistral.ai/v1").pk,))
    ).content.decode()
    for words in ("OpenAI Chat Completions", "logit bias", "tool call ids of its own shape", "console.mistral.ai"):
        assert words in html
    own = make_provider(base_url="https://models.acme.example/v1")
    assert "Any compatible address" in client.get(reverse("admin:llmgateway_provider_change", args=(own.pk,))).content.decode()
    assert facts_of(dialect="openai", base_url=own.base_url).slug == ""


@pytest.mark.parametrize(
    ("slug", "words"), [("google-vertex", "the ID of the Google Cloud project"), ("azure", "the name of the Azure OpenAI resource")]
)
def test_a_preset_explains_what_to_fill_in(client: Client, admin: User, slug: str, words: str) -> None:
    sign_in(client, admin)
    facts = next(facts for facts in VENDORS if facts.slug == slug)
    answer = client.get(reverse("admin:llmgateway_provider_add"), {"name": slug, "dialect": facts.dialect, "base_url": facts.base_url})
    assert words in answer.content.decode()
    plain = client.get(reverse("admin:llmgateway_provider_add")).content.decode()
    assert f"?name={slug}&amp;" in plain
    assert words not in plain

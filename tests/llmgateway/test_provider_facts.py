"""The table of vendors' facts: what holds of every row, that no fact is dead, and what each vendor is really sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmgateway.listing import listing
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.facts import ADDABLE, PIECES, REPLAYS, SLOTS
from llmgateway.proxy.paths import base_url
from llmgateway.proxy.providers import LOCAL_VENDORS, MESSAGES, OPERATIONS, UNKNOWN, VENDORS, Facts, facts_of, vendor_at
from llmgateway.vendor_words import PROOFS, WIRES
from llmgateway.vendors import guess_vendor

ROWS = (*VENDORS, *LOCAL_VENDORS)
BY_SLUG = {facts.slug: facts for facts in ROWS}
SOURCES = Path(__file__).parents[2] / "llmgateway"
FILLED = {"<location>": "europe-west4", "<project>": "p", "<region>": "eu-central-1", "<resource>": "acme"}


def address(facts: Facts) -> str:
    url = facts.base_url
    for name, value in FILLED.items():
        url = url.replace(name, value)
    return url


each_row = pytest.mark.parametrize("facts", ROWS, ids=lambda facts: facts.slug)


def test_a_row_is_named_once() -> None:
    assert len({facts.slug for facts in ROWS}) == len({facts.label for facts in ROWS}) == len(ROWS)


@each_row
def test_a_rows_facts_are_of_the_kinds_that_are_known(facts: Facts) -> None:
    assert facts.dialect in OPERATIONS
    assert facts.wires
    assert set(facts.wires) <= set(WIRES)
    assert all(wire.startswith("openai-") == (facts.dialect == "openai") for wire in facts.wires)
    assert facts.auth in PROOFS
    assert facts.lacks | facts.chat_lacks | facts.responses_lacks <= SLOTS | PIECES
    assert not facts.lacks & (facts.chat_lacks | facts.responses_lacks), "what both wires lack the vendor lacks"
    assert facts.adds <= ADDABLE
    assert not facts.adds & facts.lacks
    assert facts.replays in REPLAYS
    assert facts.tool_ids in ("", "alnum9")
    assert facts.max_tokens in ("max_tokens", "max_completion_tokens")
    assert re.fullmatch(r"[a-z0-9.-]+\.[a-z]+/\S+", facts.docs)
    re.compile(facts.encrypts)
    assert facts.slug == facts.price_list or facts.prices in BY_SLUG


def test_names_of_slots_are_those_of_a_conversation() -> None:
    assert set(Request.__struct_fields__) >= SLOTS
    assert not set(Request.__struct_fields__) & PIECES


@pytest.mark.parametrize("name", [name for name in Facts._fields if name not in ("slug", "label", "host", "base_url")])
def test_no_fact_is_dead(name: str) -> None:
    reads = re.compile(rf"\b(?:facts|vendor|row|fact|found|self)\.{name}\b")
    table = {"vendor_table.py", "local_vendors.py", "anthropic_compatible.py"}
    assert any(reads.search(path.read_text()) for path in SOURCES.rglob("*.py") if path.name not in table)


@pytest.mark.parametrize("facts", VENDORS, ids=lambda facts: facts.slug)
def test_a_vendor_is_known_by_the_address_that_prefills_its_form(facts: Facts) -> None:
    found = facts_of(dialect=facts.dialect, base_url=address(facts))
    assert found == facts
    assert guess_vendor(address(facts)) == facts.price_list


@pytest.mark.parametrize("facts", VENDORS, ids=lambda facts: facts.slug)
def test_a_host_is_one_vendors_and_has_one_row_of_a_dialect(facts: Facts) -> None:
    host = address(facts).split("/")[2]
    others = [row for row in VENDORS if row != facts and re.fullmatch(row.host, host)]
    assert {row.price_list for row in others} <= {facts.price_list}
    assert facts.dialect not in {row.dialect for row in others}


@pytest.mark.parametrize(
    ("url", "slug"),
    [
        ("https://aiplatform.googleapis.com/v1/projects/p/locations/global", "google-vertex"),
        ("https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu", "google-vertex"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "aws"),
        ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "aws"),
        ("https://bedrock-runtime.eusc-de-east-1.amazonaws.eu", "aws"),
        ("https://bedrock-mantle.us-east-1.api.aws/v1", "aws-openai"),
        ("https://acme.services.ai.azure.com/openai/v1", "azure"),
        ("https://acme.openai.azure.us/openai/v1", "azure"),
        ("https://us.api.x.ai/v1", "x-ai"),
        ("https://api.together.xyz/v1", "together"),
        ("https://api.moonshot.cn/v1", "moonshotai"),
        ("https://open.bigmodel.cn/api/paas/v4", "zai"),
    ],
)
def test_a_vendors_other_addresses_are_known_too(url: str, slug: str) -> None:
    found = vendor_at(url)
    assert found is not None
    assert found.slug == slug


@pytest.mark.parametrize(
    "url",
    [
        "https://api.x.ai.example/v1",
        "https://evilapi.x.ai/v1",
        "https://api.deepseek.com.example/anthropic",
        "https://bedrock-runtime.example/amazonaws.com",
        "https://aiplatform.googleapis.com.example/v1",
        "https://openai.azure.com/openai/v1",
        "not an address",
    ],
)
def test_a_look_alike_is_nobodys(url: str) -> None:
    assert vendor_at(url) is None
    assert facts_of(dialect="openai", base_url=url) == UNKNOWN["openai"]


@pytest.mark.parametrize("slug", ["deepseek", "moonshotai", "zai", "openrouter", "fireworks", "azure"])
def test_the_dialect_tells_which_of_a_hosts_rows_it_is(slug: str) -> None:
    chat, messages = BY_SLUG[slug], BY_SLUG[f"{slug}-anthropic"]
    assert facts_of(dialect="openai", base_url=address(chat)) == chat
    assert facts_of(dialect="anthropic", base_url=address(messages)) == messages
    assert facts_of(dialect="cohere", base_url=address(chat)) == UNKNOWN["cohere"]
    assert (messages.wires, messages.price_list) == ((MESSAGES,), slug)
    assert base_url(address(messages), "anthropic") == address(messages) + "/v1"


def test_an_engine_of_the_house_is_known_by_its_name_and_dialect() -> None:
    at = "http://10.0.0.7:8000/v1"
    assert facts_of(dialect="openai", base_url=at, vendor="vllm").slug == "vllm"
    assert facts_of(dialect="anthropic", base_url=at, vendor="vllm").slug == "vllm-anthropic"
    assert facts_of(dialect="gemini", base_url=at, vendor="vllm") == UNKNOWN["gemini"]
    assert facts_of(dialect="openai", base_url="https://api.groq.com/openai/v1", vendor="vllm").slug == "groq"
    assert facts_of(dialect="openai", base_url=at) == UNKNOWN["openai"]


@pytest.mark.parametrize(
    ("host", "control"),
    [
        ("bedrock-runtime.eusc-de-east-1.amazonaws.eu", "bedrock.eusc-de-east-1.amazonaws.eu"),
        ("bedrock-runtime.us-east-1.api.aws", "bedrock.us-east-1.api.aws"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "bedrock-fips.us-gov-west-1.amazonaws.com"),
    ],
)
def test_bedrocks_models_are_listed_at_the_control_host_of_each_partition(host: str, control: str) -> None:
    keys = '{"access_key_id": "AKIDEXAMPLE", "secret_access_key": "s"}'
    asked = listing(dialect="bedrock", base_url=f"https://{host}", credential=keys, headers={}, facts=BY_SLUG["aws"])

    assert asked.url == f"https://{control}/foundation-models"
    assert f"/{host.split('.')[1]}/bedrock/" in asked.headers["authorization"]

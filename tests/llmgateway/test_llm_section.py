"""The compiled section `llm`: what the data plane is told, by what it is changed, and what it costs to compile."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent
from config.compilers import compilers, touched_by
from config.publish import publish_pending
from dataplane.sealing import Sealer
from dataplane.snapshot import LlmSection, PriceRecord, decode_body
from llmgateway import actions
from llmgateway import compile as compiled
from llmgateway.models import Deployment, Model, Provider
from tests.llmgateway.conftest import CANARY, MakeModel, MakeProvider
from usage import actions as usage_actions
from usage import prices
from usage.models import Price


def section() -> LlmSection:
    body = compiled.compile_section("llm")
    assert body is not None
    found = decode_body("llm", body)
    assert isinstance(found, LlmSection)
    return found


def told(found: LlmSection) -> dict[str, Any]:
    """The section as plain text, but for what a clock or a database chose."""
    names = {provider.id: provider.name for provider in found.providers}
    return {
        "providers": [
            (
                one.name,
                one.dialect,
                one.base_url,
                one.allow_private_network,
                one.connect_timeout,
                one.read_timeout,
                one.total_timeout,
                one.headers,
            )
            for one in found.providers
        ],
        "models": [
            (
                one.name,
                one.strategy,
                one.max_output,
                one.fallbacks,
                [(names[row.provider], row.model, row.weight, row.priority, row.price and row.price.ref) for row in one.deployments],
            )
            for one in found.models
        ],
    }


def test_the_section_holds_what_is_enabled_and_nothing_else(make_provider: MakeProvider, make_model: MakeModel) -> None:
    make_provider("west", headers={"openai-project": "p1"}, read_timeout="12.5")
    make_provider("east", dialect="anthropic", base_url="http://10.0.0.5:8080", allow_private_network=True)
    make_provider("off", enabled=False)
    make_model("spare", enabled=False)
    make_model("backup", deployments=[{"provider": "east", "model": "m"}])
    make_model("empty")
    make_model(
        "main",
        max_output=2048,
        deployments=[
            {"provider": "west", "model": "gpt-x", "weight": 3, "priority": 1},
            {"provider": "east", "model": "claude-x", "weight": 1},
            {"provider": "off", "model": "gpt-x"},
            {"provider": "west", "model": "gpt-y", "enabled": False},
        ],
        fallbacks=["spare", "backup"],
        price={"input": "0.15", "output": "0.60"},
    )

    own = f"override:main@{datetime.now(UTC).date()}"
    assert told(section()) == {
        "providers": [
            ("east", "anthropic", "http://10.0.0.5:8080", True, 5.0, 300.0, 900.0, {}),
            ("west", "openai", "https://api.openai.com/v1", False, 5.0, 12.5, 900.0, {"openai-project": "p1"}),
        ],
        "models": [
            ("backup", "weighted", None, (), [("east", "m", 1, 0, None)]),
            ("empty", "weighted", None, (), []),
            ("main", "weighted", 2048, ("backup",), [("east", "claude-x", 1, 0, own), ("west", "gpt-x", 3, 1, own)]),
        ],
    }


def test_the_published_credential_opens_with_the_place_that_the_data_plane_names(make_provider: MakeProvider) -> None:
    make_provider("sealed", api_key=CANARY)
    body = compiled.compile_section("llm") or b""
    assert CANARY.encode() not in body
    (provider,) = section().providers
    assert provider.credential is not None
    opened = Sealer(*settings.CUSTOMHOUSE.seal_keys).open(provider.credential, bound_to=f"llmgateway.provider:{provider.id}:credential")
    assert opened == CANARY


def test_prices_are_stamped_from_override_catalogue_or_not_at_all(make_provider: MakeProvider, make_model: MakeModel) -> None:
    prices.seed()
    make_provider("openai")
    make_provider("house", base_url="http://127.0.0.1:9", allow_private_network=True)
    make_model("listed", deployments=[{"provider": "openai", "model": "gpt-4o-mini"}])
    make_model(
        "own", deployments=[{"provider": "openai", "model": "gpt-4o-mini"}], price={"input": "1", "output": "2", "cached_input": "0.5"}
    )
    make_model("unknown", deployments=[{"provider": "house", "model": "llama"}])

    stamped = {model.name: model.deployments[0].price for model in section().models}
    listed = stamped["listed"]
    assert listed is not None
    assert listed.ref.startswith("catalogue:openai/gpt-4o-mini@")
    assert listed == prices.resolve("openai", "gpt-4o-mini", model_name="listed")
    assert stamped["own"] == PriceRecord(ref=f"override:own@{datetime.now(UTC).date()}", input="1", output="2", cached_read="0.5")
    assert stamped["unknown"] is None


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        ("weighted", [("dear", 0), ("cheap", 0), ("unpriced", 0), ("last", 1)]),
        ("priority", [("unpriced", 0), ("cheap", 1), ("dear", 2), ("last", 3)]),
        ("cost", [("cheap", 0), ("dear", 1), ("unpriced", 2), ("last", 3)]),
    ],
)
def test_a_strategy_is_compiled_into_the_order_of_trying(
    make_provider: MakeProvider, make_model: MakeModel, strategy: str, order: list[Any]
) -> None:
    for name, price in (("dear", "10"), ("cheap", "1"), ("last", "0.1")):
        make_provider(name, vendor=name)
        usage_actions.set_price(actor=None, vendor=name, model_name="m", input=price, output=price)
    make_provider("unpriced", vendor="unpriced")
    make_model(
        strategy=strategy,
        deployments=[
            {"provider": "dear", "model": "m", "weight": 1},
            {"provider": "cheap", "model": "m", "weight": 2},
            {"provider": "unpriced", "model": "m", "weight": 3},
            {"provider": "last", "model": "m", "priority": 1},
        ],
    )
    found = section()
    names = {provider.id: provider.name for provider in found.providers}
    assert [(names[row.provider], row.priority) for row in found.models[0].deployments] == order


def test_a_price_from_tomorrow_on_is_not_stamped_today(make_provider: MakeProvider, make_model: MakeModel) -> None:
    make_provider("openai")
    make_model("later", deployments=[{"provider": "openai", "model": "new-model"}])
    usage_actions.set_price(actor=None, model_name="later", valid_from=date(2999, 1, 1), input="1", output="1")
    assert section().models[0].deployments[0].price is None


def test_the_same_state_compiles_to_the_same_bytes(make_provider: MakeProvider, make_model: MakeModel) -> None:
    make_provider("a", headers={"x-b": "1", "x-a": "2"}, api_key=CANARY)
    make_model("m", deployments=[{"provider": "a", "model": "m"}])
    assert compiled.compile_section("llm") == compiled.compile_section("llm")
    assert compiled.compile_section("teams") is None
    assert list(compiled.all_sections()) == ["llm"]


def test_every_change_but_a_health_state_touches_the_section_and_so_does_a_price(
    make_provider: MakeProvider, make_model: MakeModel
) -> None:
    provider = make_provider("a")
    model = make_model("m", deployments=[{"provider": "a", "model": "m"}])
    seen = AuditEvent.objects.count()

    def touched() -> set[str]:
        nonlocal seen
        events = list(AuditEvent.objects.filter(id__gt=seen))
        seen += len(events)
        assert events
        return touched_by(events) & {"llm"}

    actions.record_health(actor=None, provider=provider, error="down")
    assert touched() == set()
    for change in (
        lambda: actions.set_credential(actor=None, provider=provider, api_key="sk-1"),
        lambda: actions.update_provider(actor=None, provider=provider, read_timeout=9),
        lambda: actions.disable_provider(actor=None, provider=provider),
        lambda: actions.set_deployments(actor=None, model=model, deployments=[]),
        lambda: actions.update_model(actor=None, model=model, max_output=5),
        lambda: actions.set_model_price(actor=None, model=model, price={"input": "1", "output": "1"}),
        lambda: prices.seed(),
        lambda: actions.delete_model(actor=None, model=model),
        lambda: actions.delete_provider(actor=None, provider=provider),
    ):
        change()
        assert touched() == {"llm"}


def test_a_changed_model_is_published_when_it_is_committed(transactional_db: None) -> None:
    publish_pending()
    from config.models import PublishedSection

    actions.create_provider(actor=None, name="openai", dialect="openai", base_url="https://api.openai.com/v1")
    actions.create_model(actor=None, name="live", deployments=[{"provider": "openai", "model": "gpt"}])
    published = decode_body("llm", bytes(PublishedSection.objects.get(name="llm").body))
    assert isinstance(published, LlmSection)
    assert [model.name for model in published.models] == ["live"]
    assert any("llm" in one.PREFIXES for one in compilers())


def test_a_thousand_models_compile_with_a_bounded_number_of_queries_in_good_time(db: None) -> None:
    prices.seed()
    listed = list(Price.objects.filter(vendor="openrouter").values_list("model", flat=True)[:800])
    providers = [Provider(name=f"p{n}", base_url=f"https://p{n}.example", dialect="openai", vendor="openrouter") for n in range(4)]
    Provider.objects.bulk_create(providers)
    models = Model.objects.bulk_create(Model(name=f"model-{n}") for n in range(1000))
    Deployment.objects.bulk_create(
        Deployment(model=model, provider=provider, upstream_model=listed[(n + at) % len(listed)])
        for n, model in enumerate(models)
        for at, provider in enumerate(providers)
    )
    started = time.perf_counter()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = section()
    took = time.perf_counter() - started
    assert (len(found.models), sum(len(model.deployments) for model in found.models)) == (1000, 4000)
    assert all(row.price is not None for row in found.models[0].deployments)
    assert len(queries) <= 25
    assert took < 10

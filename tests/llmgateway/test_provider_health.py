"""What runs by the clock: the health checks of providers and the alarm about missing prices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from celery.schedules import maybe_schedule
from django.utils import timezone

from audit.models import AuditEvent
from config.celery import app, collected_schedule
from config.compilers import touched_by
from llmgateway import tasks
from llmgateway.models import Provider
from tests.fakes.provider import Asked, Reply, said
from tests.fakes.provider import Provider as Vendor
from tests.llmgateway.conftest import MakeModel, MakeProvider
from usage import actions as usage_actions
from usage import prices
from usage.models import Price


def test_every_enabled_provider_is_asked_once_and_its_state_is_noted(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    def reply(asked: Asked) -> Reply:
        return said({}, status=500) if asked.path.startswith("/ill") else said({"data": [{"id": "m"}]})

    vendor.fallback = reply
    for number in range(10):
        make_provider(f"well-{number}", base_url=f"{vendor_url}/well{number}/v1", allow_private_network=True)
    make_provider("ill", base_url=f"{vendor_url}/ill/v1", allow_private_network=True)
    make_provider("off", base_url=f"{vendor_url}/off/v1", allow_private_network=True, enabled=False)

    assert tasks.check_providers() == 11
    states = dict(Provider.objects.values_list("name", "health"))
    assert states == {**{f"well-{number}": "healthy" for number in range(10)}, "ill": "degraded", "off": "unknown"}
    assert len(vendor.asked) == 11
    ill = Provider.objects.get(name="ill")
    assert "answered 500" in ill.last_error
    assert ill.checked_at is not None


def test_only_one_model_is_asked_for_where_the_vendor_allows_it(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    vendor.fallback = said({"data": [], "has_more": False})
    make_provider(dialect="anthropic", base_url=vendor_url, allow_private_network=True)
    tasks.check_providers()
    assert vendor.last.query == "limit=1"


def test_a_provider_that_is_down_is_left_alone_for_a_while(make_provider: MakeProvider, vendor: Vendor, vendor_url: str) -> None:
    vendor.fallback = said({}, status=503)
    make_provider("ill", base_url=vendor_url, allow_private_network=True)
    for asked in (1, 1, 1, 0):
        assert tasks.check_providers() == asked
    assert Provider.objects.get().health == "down"

    Provider.objects.update(checked_at=timezone.now() - timedelta(minutes=6))
    vendor.fallback = said({"data": []})
    assert tasks.check_providers() == 1
    assert Provider.objects.get().health == "healthy"


def test_without_providers_there_is_nothing_to_do(db: None) -> None:
    assert tasks.check_providers() == 0


def test_models_without_a_price_are_named(make_provider: MakeProvider, make_model: MakeModel) -> None:
    prices.seed()
    make_provider("openai")
    make_provider("house", base_url="http://127.0.0.1:1", allow_private_network=True)
    make_model("listed", deployments=[{"provider": "openai", "model": "gpt-4o-mini"}])
    make_model("half", deployments=[{"provider": "openai", "model": "gpt-4o-mini"}, {"provider": "house", "model": "x"}])
    make_model("none", deployments=[{"provider": "house", "model": "x"}])
    make_model("own", deployments=[{"provider": "house", "model": "x"}], price={"input": "0", "output": "0"})
    make_model("off", deployments=[{"provider": "house", "model": "x"}], enabled=False)
    assert tasks.warn_unpriced() == ["half", "none"]


def test_a_price_that_was_stated_earlier_is_announced_once_on_its_first_day(make_model: MakeModel) -> None:
    make_model("m")
    today = datetime.now(UTC).date()
    usage_actions.set_price(actor=None, model_name="m", input="1", output="1")
    assert tasks.begin_prices() == 0  # its own change has been told already
    Price.objects.update(created_at=timezone.now() - timedelta(days=3))
    Price.objects.create(source="override", model="later", valid_from=today + timedelta(days=1), input=1, output=1)

    assert [tasks.begin_prices(), tasks.begin_prices()] == [1, 0]
    event = AuditEvent.objects.get(action="llmgateway.price.begin")
    assert event.extra["prices"] == [f"override:m@{today}"]
    assert "llm" in touched_by([event])


def test_the_schedule_names_tasks_that_exist() -> None:
    app.loader.import_default_modules()
    schedule: dict[str, dict[str, Any]] = {name: entry for name, entry in collected_schedule().items() if name.startswith("llmgateway.")}
    assert set(schedule) == {"llmgateway.check_providers", "llmgateway.begin_prices", "llmgateway.warn_unpriced"}
    for entry in schedule.values():
        assert entry["task"] in app.tasks
        assert maybe_schedule(entry["schedule"]).run_every >= timedelta(minutes=1)

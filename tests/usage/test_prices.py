"""Which price holds when, where it comes from, and that the catalogue is seeded once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command

from audit.models import AuditEvent
from dataplane.money import Rates
from dataplane.snapshot import PriceRecord
from identity.models import User
from usage import actions, catalogue, prices, tasks
from usage.catalogue import Listed
from usage.models import Price

pytestmark = pytest.mark.django_db

TODAY = datetime.now(UTC).date()


def listed(model: str = "m", since: date | None = None, note: str = "", **meters: str) -> Listed:
    return Listed("v", model, since, {meter: Decimal(amount) for meter, amount in meters.items()}, note)


@pytest.fixture
def price_list(monkeypatch: pytest.MonkeyPatch) -> list[Listed]:
    """What the vendors' list says, to be changed by a test."""
    says: list[Listed] = []
    monkeypatch.setattr(catalogue, "listed", lambda: iter(says))
    monkeypatch.setattr(catalogue, "canonical", lambda vendor, model: None)
    return says


def test_the_bundled_list_is_seeded_quickly_and_once(django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(120):
        assert prices.seed() > 2_000
    count = Price.objects.count()
    with django_assert_max_num_queries(6):
        assert prices.seed() == 0
    assert Price.objects.count() == count
    assert AuditEvent.objects.filter(action="usage.price.seed").count() == 1
    out = StringIO()
    call_command("seed_prices", stdout=out)
    assert out.getvalue() == "0 new prices\n"
    assert tasks.seed_prices.apply().get() == 0


def test_a_known_model_has_its_list_price_and_names_it() -> None:
    prices.seed()
    found = prices.resolve("openai", "gpt-4o-mini")
    assert found == PriceRecord(ref=f"catalogue:openai/gpt-4o-mini@{TODAY}", input="0.15", output="0.6", cached_read="0.075")
    assert prices.resolve("openai", "gpt-4o-mini-2024-07-18") == found, "a dated name is the same model"
    assert prices.resolve("azure", "gpt-4o-mini") is not None, "a cloud that resells it has its maker's price"
    embedding = prices.resolve("openai", "text-embedding-3-small")
    assert embedding is not None
    assert (embedding.input, embedding.output) == ("0.02", "0")


def test_what_nobody_lists_has_no_price_and_not_a_price_of_zero() -> None:
    prices.seed()
    for vendor, model in (("openai", "no-such-model"), ("nobody", "gpt-4o-mini"), ("ollama", "llama3"), ("", ""), ("openai", "tts-1")):
        assert prices.resolve(vendor, model) is None


def test_every_seeded_price_can_be_counted_with() -> None:
    prices.seed()
    rows = list(Price.objects.all())
    for row in rows:
        rates = Rates(row.record())
        assert rates.cost({"input": 1_000_000, "output": 0, "requests": 0}) == row.input
        assert any(amount > 0 for amount in row.amounts.values()) or row.input == row.output == 0
    assert len({row.ref for row in rows}) == len(rows)


def test_a_tiered_price_is_its_base_tier_and_says_so() -> None:
    prices.seed()
    price = prices.find("anthropic", "claude-sonnet-4-5")
    assert price is not None
    assert (price.input, price.output, price.cache_write_5m, price.cache_write_1h) == (3, 15, Decimal("3.75"), 6)
    assert "input: 6 from 200,000 tokens; not modelled" in price.note


def test_a_model_s_own_price_wins_over_vendor_terms_and_those_over_the_list(price_list: list[Listed]) -> None:
    price_list.append(listed(input="3", output="9"))
    prices.seed()

    def ref(**asked: Any) -> str | None:
        found = prices.resolve("v", "m", **asked)
        return found.ref if found else None

    assert ref(model_name="ours") == f"catalogue:v/m@{TODAY}"
    actions.set_price(actor=None, vendor="v", model_name="m", input="2", output="8")
    assert ref(model_name="ours") == f"override:v/m@{TODAY}"
    actions.set_price(actor=None, model_name="ours", input="1", output="7")
    assert ref(model_name="ours") == f"override:ours@{TODAY}"
    assert ref(model_name="another") == f"override:v/m@{TODAY}"
    assert prices.resolve("", "", model_name="ours") is not None
    actions.set_price(actor=None, model_name="ours")
    assert ref(model_name="ours") == f"override:v/m@{TODAY}"
    assert prices.resolve("", "", model_name="ours") is None


def test_the_newest_price_that_has_begun_holds() -> None:
    for days, amount in ((-10, "1"), (-3, "2"), (5, "9")):
        actions.set_price(actor=None, model_name="ours", valid_from=TODAY + timedelta(days=days), input=amount, output="0")

    def at(days: int) -> str | None:
        found = prices.resolve(model_name="ours", at=datetime.now(UTC) + timedelta(days=days))
        return found.input if found else None

    assert [at(days) for days in (-11, -10, -4, -3, 0, 4, 5)] == [None, "1", "1", "2", "2", "2", "9"]


def test_a_price_is_never_changed_a_second_one_of_a_day_is_another_revision() -> None:
    first = actions.set_price(actor=None, model_name="ours", input="1", output="2")
    again = actions.set_price(actor=None, model_name="ours", input="1.0", output="2")
    second = actions.set_price(actor=None, model_name="ours", input="1.5", output="2")
    assert first is not None
    assert second is not None
    assert again == first, "the same price again is nothing new"
    assert (first.ref, second.ref) == (f"override:ours@{TODAY}", f"override:ours@{TODAY}.2")
    first.refresh_from_db()
    assert first.input == 1
    changes = [event.changes for event in AuditEvent.objects.filter(action="usage.price.set").order_by("pk")]
    assert changes[1] == {"input": ["1", "1.5"]}


def test_a_withdrawn_price_held_until_then() -> None:
    price = actions.set_price(actor=None, model_name="ours", valid_from=TODAY - timedelta(days=2), input="1", output="2")
    assert price is not None
    actions.withdraw_price(actor=None, price=price)
    actions.withdraw_price(actor=None, price=price)
    assert prices.resolve(model_name="ours") is None
    yesterday = prices.resolve(model_name="ours", at=datetime.now(UTC) - timedelta(days=1))
    assert yesterday is not None
    assert AuditEvent.objects.filter(action="usage.price.withdraw").count() == 1
    stated = actions.set_price(actor=None, model_name="ours", valid_from=TODAY - timedelta(days=2), input="1", output="2")
    assert stated is not None
    assert stated.revision == 2


@pytest.mark.parametrize(
    ("meters", "field"),
    [
        ({"input": "1"}, "output"),
        ({"output": "1"}, "input"),
        ({"input": "cheap", "output": "1"}, "input"),
        ({"input": 0.15, "output": "1"}, "input"),
        ({"input": "NaN", "output": "1"}, "input"),
        ({"input": "-1", "output": "1"}, "input"),
        ({"input": "1", "output": "1", "image": "Infinity"}, "image"),
        ({"input": "1", "output": "1", "colour": "1"}, "price"),
        ({"input": "12345678901", "output": "1"}, "input"),
        ({"input": "0.12345678901", "output": "1"}, "input"),
    ],
)
def test_a_price_that_makes_no_sense_is_refused_by_its_field(meters: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        actions.set_price(actor=None, model_name="ours", **meters)
    assert list(refusal.value.message_dict) == [field]
    assert not Price.objects.exists()


def test_prices_are_set_by_those_with_the_permission_only(owner: User, team_mate: User, admin: User) -> None:
    with pytest.raises(PermissionDenied):
        actions.set_price(actor=team_mate, model_name="ours", input="1", output="1")
    assert actions.set_price(actor=owner, model_name="ours", input="1", output="1") is not None
    assert actions.set_price(actor=admin, model_name="ours", input="2", output="1") is not None


def test_a_new_list_adds_what_changed_and_withdraws_what_is_not_announced_any_more(price_list: list[Listed]) -> None:
    soon = TODAY + timedelta(days=30)
    price_list[:] = [listed(input="3", output="9"), listed(since=soon, input="4", output="9"), listed("other", input="1", output="1")]
    assert prices.seed() == 3
    price_list[:] = [listed(input="2", output="9"), listed("other", input="1", output="1")]
    assert prices.seed() == 1
    standing = [str(price) for price in Price.objects.filter(model="m", withdrawn_at=None)]
    assert standing == [f"catalogue:v/m@{TODAY}.2", f"catalogue:v/m@{TODAY}"]
    assert Price.objects.get(valid_from=soon).withdrawn_at is not None
    assert AuditEvent.objects.latest("pk").extra == {"new": 1, "withdrawn": 1}
    price_list[:] = [listed(input="2", output="9"), listed(since=soon, input="5", output="9"), listed("other", input="1", output="1")]
    assert prices.seed() == 1
    assert Price.objects.filter(valid_from=soon).count() == 2


def test_a_price_that_began_earlier_begins_then_and_a_change_without_a_date_begins_today(price_list: list[Listed]) -> None:
    began = TODAY - timedelta(days=9)
    price_list[:] = [listed(input="3", output="9"), listed(since=began, input="4", output="9")]
    assert prices.seed() == 1
    assert Price.objects.get().valid_from == began
    price_list[:] = [listed(input="5", output="9")]
    assert prices.seed(today=TODAY + timedelta(days=1)) == 1
    assert Price.objects.order_by("valid_from").last().valid_from == TODAY + timedelta(days=1)  # type: ignore[union-attr]


class Prices(SimpleNamespace):
    """A price as the package states it: what it does not name is None."""

    def __getattr__(self, name: str) -> None:
        return None


@pytest.mark.parametrize(
    ("stated", "meters"),
    [
        ({"input_mtok": Decimal(1)}, {"input": Decimal(1), "output": Decimal(0)}),
        ({"input_mtok": Decimal(1), "input_mchars": Decimal(2)}, None),
        ({"web_searches_kcount": Decimal(10)}, None),
        ({}, None),
        ({"audio_hours": Decimal("0.36")}, {"input": Decimal(0), "output": Decimal(0), "second": Decimal("0.0001")}),
        ({"requests_kcount": Decimal(5)}, {"input": Decimal(0), "output": Decimal(0), "request": Decimal("0.005")}),
        (
            {"input_mtok": Decimal(1), "cache_write_mtok": Decimal(2), "output_image_mtok": Decimal(40)},
            {"input": Decimal(1), "output": Decimal(40), "cache_write_5m": Decimal(2)},
        ),
    ],
)
def test_what_our_meters_can_not_hold_is_left_out_or_said(stated: dict[str, Decimal], meters: dict[str, Decimal] | None) -> None:
    assert catalogue._meters(Prices(**stated))[0] == meters


def test_of_prices_by_the_hour_the_dearest_is_taken() -> None:
    day, night = Prices(input_mtok=Decimal(1), output_mtok=Decimal(4)), Prices(input_mtok=Decimal(1), output_mtok=Decimal(2))
    dated = [
        SimpleNamespace(constraint=None, prices=night),
        SimpleNamespace(constraint=SimpleNamespace(start_time=1, end_time=2), prices=day),
    ]
    assert catalogue._dated(dated) == [(None, day, True)]

"""Batches: ordered within grants and budgets, metered once when they have ended, whoever looks and however often."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dataplane.errors import JournalFull
from dataplane.events import Intent
from dataplane.pins import Pins
from dataplane.pins_file import FileShelf
from llmgateway.proxy import stored
from llmgateway.proxy.stored import watch
from llmgateway.proxy.stored.settling import event_id
from llmgateway.proxy.stored.watch import BatchWatch
from tests.fakes import answers
from tests.fakes.contents import PRICE
from tests.fakes.house import House
from tests.fakes.provider import Reply, said
from tests.fakes.storing import Person, Vendor, lay_out, line

ENDED_AT = 1_763_900_000


def ordered(owner: Person, *lines: bytes) -> str:
    """The id of a batch of these lines."""
    uploaded = owner.upload(b"\n".join(lines), purpose="batch")
    assert uploaded.status_code == 200, uploaded.text
    body = {"input_file_id": uploaded.json()["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    answer = owner.ask("POST", "/v1/batches", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def result(model: str, usage: dict[str, Any] | None = None) -> dict[str, Any]:
    body = {**answers.chat(model), "usage": answers.CHAT_USAGE if usage is None else usage}
    return {"id": "req", "custom_id": "call", "response": {"status_code": 200, "body": body}, "error": None}


def ends(vendor: Vendor, batch: str, *results: Any, status: str = "completed", **more: Any) -> None:
    """From now on the provider says that the batch is over, and gives its results."""
    told = {
        "id": batch,
        "object": "batch",
        "status": status,
        f"{status}_at": ENDED_AT,
        "created_at": 1,
        "output_file_id": "file_out",
        **more,
    }
    vendor.answers(f"GET /batches/{batch}", told)
    lines = b"".join(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in results)
    vendor.answers(
        "GET /files/file_out/content", Reply(headers=(("content-type", "application/octet-stream"),), pieces=(lines,), sized=True)
    )


def look(house: House) -> int:
    """The watch of a worker looks around, in the loop that the worker runs in."""
    house.kit.pins._claims.clear()  # as when their time is over
    loop = house.kit._loop
    assert loop is not None
    return asyncio.run_coroutine_threadsafe(BatchWatch(house.kit).look(), loop).result(10)


def test_a_batch_is_metered_once_though_it_is_seen_three_times(house: House, owner: Person, team_mate: Person, vendor: Vendor) -> None:
    batch = ordered(owner, line(), line(number=2))
    vendor.answers(f"GET /batches/{batch}", {"id": batch, "status": "in_progress"})
    owner.ask("GET", f"/v1/batches/{batch}")
    assert house.journaled() == [], "nothing is told of a batch that goes on"
    ends(vendor, batch, result("gpt-real-2026-01-01"), result("gpt-real-2026-01-01"), {"response": None, "error": {"code": "expired"}})

    for person in (owner, team_mate, owner):
        answer = person.ask("GET", f"/v1/batches/{batch}")
        assert answer.json() == json.loads(vendor.replies[f"GET /batches/{batch}"].pieces[0])  # type: ignore[arg-type]
    assert look(house) == 0

    event = house.settled()
    assert event.usage == {
        "requests": 2,
        "input": 32,
        "cached_read": 8,
        "cache_write_5m": 0,
        "cache_write_1h": 0,
        "output": 12,
        "reasoning": 0,
    }
    assert Decimal(event.cost or "nan") == (Decimal(3) * 32 + Decimal("0.3") * 8 + Decimal(15) * 12) / 1_000_000
    assert (event.model, event.deployment, event.provider, event.price) == ("gpt", "gpt-real", "openai", PRICE.ref)
    assert (event.team, event.team_name, event.key_name, event.outcome, event.at) == (house.team, "desk", "desk-key", "ok", ENDED_AT)
    assert event.id == event_id("openai", batch, "gpt-real")
    assert event.id in house.reading.intents, "an intent stands before it"
    assert vendor.asked.count("GET /files/file_out/content") == 1


def test_a_batch_that_nobody_fetches_is_settled_by_the_watch(house: House, owner: Person, vendor: Vendor) -> None:
    batch = ordered(owner, line(), line("small", number=2))
    vendor.answers(f"GET /batches/{batch}", {"id": batch, "status": "in_progress"})
    assert look(house) == 0
    ends(vendor, batch, result("gpt-real"), result("small-real"))
    assert look(house) == 1
    assert look(house) == 0
    events = house.all_settled(2)
    assert {event.model: event.usage["requests"] for event in events} == {"gpt": 1, "small": 1}
    assert vendor.provider.asked[-2].header("authorization") == "Bearer sk-openai"


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_what_a_batch_did_before_it_was_stopped_is_metered(status: str, house: House, owner: Person, vendor: Vendor) -> None:
    batch = ordered(owner, line(), line(number=2))
    ends(vendor, batch, result("gpt-real"), status=status)
    owner.ask("GET", f"/v1/batches/{batch}")
    assert (house.settled().usage["requests"], look(house)) == (1, 0)


def test_a_batch_that_made_nothing_costs_nothing(house: House, owner: Person, vendor: Vendor) -> None:
    batch = ordered(owner, line())
    ends(vendor, batch, status="failed", output_file_id=None)
    assert owner.ask("GET", f"/v1/batches/{batch}").status_code == 200
    assert look(house) == 0
    assert house.journaled() == []
    assert "GET /files/file_out/content" not in vendor.asked


def test_results_that_can_not_be_read_are_read_later_and_keep_the_batch_from_nobody(house: House, owner: Person, vendor: Vendor) -> None:
    batch = ordered(owner, line())
    ends(vendor, batch, result("gpt-real"))
    good = vendor.replies["GET /files/file_out/content"]
    vendor.answers("GET /files/file_out/content", {"error": {"message": "later"}}, status=503)
    assert owner.ask("GET", f"/v1/batches/{batch}").status_code == 200
    assert house.journaled() == []
    vendor.replies["GET /files/file_out/content"] = good
    assert owner.ask("DELETE", "/v1/files/file_out").json()["error"]["code"] == "batch_open"
    assert look(house) == 1
    assert house.settled().usage["requests"] == 1
    assert owner.ask("DELETE", "/v1/files/file_out").status_code == 200


def test_a_batch_whose_results_are_gone_is_settled_by_what_the_provider_says_of_it(house: House, owner: Person, vendor: Vendor) -> None:
    batch = ordered(owner, line())
    ends(vendor, batch, usage=answers.RESPONSE_USAGE)
    vendor.answers("GET /files/file_out/content", {"error": {"message": "gone"}}, status=404)
    owner.ask("GET", f"/v1/batches/{batch}")
    assert {meter: count for meter, count in house.settled().usage.items() if count} == answers.USAGE


def test_broken_lines_of_results_are_passed_over(house: House, owner: Person, vendor: Vendor) -> None:
    batch = ordered(owner, line())
    odd = result("gpt-real", {"prompt_tokens": -5})
    ends(vendor, batch, b"{broken\n", b"\n", b"[]\n", odd, b'{"response": 7}\n', json.dumps(result("unknown-model")).encode())
    owner.ask("GET", f"/v1/batches/{batch}")
    event = house.settled()
    assert (event.model, event.usage["requests"]) == ("gpt", 1)


def test_what_a_batch_has_made_belongs_to_who_ordered_it(
    house: House, owner: Person, team_mate: Person, stranger: Person, vendor: Vendor
) -> None:
    batch = ordered(owner, line())
    ends(vendor, batch, result("gpt-real"), error_file_id="file_err")
    assert team_mate.ask("GET", "/v1/files/file_out/content").status_code == 404
    owner.ask("GET", f"/v1/batches/{batch}")
    assert json.loads(team_mate.ask("GET", "/v1/files/file_out/content").text) == result("gpt-real")
    assert team_mate.ask("GET", "/v1/files/file_err").status_code == 200
    asked = len(vendor.asked)
    assert stranger.ask("GET", "/v1/files/file_out/content").status_code == 404
    assert len(vendor.asked) == asked


def test_a_list_of_batches_lets_what_they_made_be_read(house: House, owner: Person, stranger: Person, vendor: Vendor) -> None:
    mine, theirs = ordered(owner, line()), ordered(stranger, line())
    data = [{"id": ident, "status": "completed", "output_file_id": f"file_of_{ident}"} for ident in (theirs, mine)]
    vendor.answers("GET /batches", {"object": "list", "data": data, "has_more": False})
    assert owner.ask("GET", "/v1/batches").json()["data"] == [data[1]]
    assert owner.ask("GET", f"/v1/files/file_of_{mine}").status_code == 200
    assert owner.ask("GET", f"/v1/files/file_of_{theirs}").status_code == 404


@pytest.mark.parametrize("purpose", ["user_data", "batch_output"])
def test_only_a_file_whose_lines_were_checked_is_ordered(purpose: str, owner: Person, vendor: Vendor) -> None:
    file = owner.upload(line("hidden"), purpose=purpose).json()["id"]
    answer = owner.ask("POST", "/v1/batches", json={"input_file_id": file, "endpoint": "/v1/chat/completions"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_a_batch_file")
    assert vendor.asked == ["POST /files"]


def test_a_file_of_another_team_is_not_ordered(owner: Person, stranger: Person, vendor: Vendor) -> None:
    file = owner.upload(line(), purpose="batch").json()["id"]
    assert stranger.ask("POST", "/v1/batches", json={"input_file_id": file}).status_code == 404
    assert vendor.asked == ["POST /files"]


def test_a_model_that_was_withdrawn_after_the_upload_is_not_called(house: House, owner: Person, vendor: Vendor) -> None:
    file = owner.upload(line("small"), purpose="batch").json()["id"]
    house.contents.grants[f"team:{house.team}"].remove("model:small")
    house.publish()
    answer = owner.ask("POST", "/v1/batches", json={"input_file_id": file})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert vendor.asked == ["POST /files"]


def test_what_a_batch_cost_counts_against_the_budget(house: House, owner: Person, vendor: Vendor) -> None:
    house.contents.budget(f"team:{house.team}", 2_000_000_000)
    house.publish()
    batch = ordered(owner, line())
    ends(vendor, batch, result("gpt-real", {"prompt_tokens": 1_000_000, "completion_tokens": 0}))
    owner.ask("GET", f"/v1/batches/{batch}")
    assert house.settled().cost == "3"
    assert all(intent.accounts for intent in house.reading.intents.values())
    file = owner.upload(line(), purpose="batch").json()["id"]
    answer = owner.ask("POST", "/v1/batches", json={"input_file_id": file})
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "budget_exceeded")


def test_a_batch_that_may_cost_more_than_a_budget_has_left_is_not_ordered(house: House, owner: Person, vendor: Vendor) -> None:
    house.contents.budget(f"team:{house.team}", 100_000_000)
    house.publish()
    dear = owner.upload(b"\n".join(line(number=number) for number in range(2)), purpose="batch").json()["id"]
    answer = owner.ask("POST", "/v1/batches", json={"input_file_id": dear})
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "budget_exceeded")
    assert "0.12" in answer.json()["error"]["message"]
    assert vendor.asked == ["POST /files"]
    assert ordered(owner, line(max_tokens=64), line(max_tokens=64, number=2))


def test_a_batch_is_known_and_settled_after_a_restart(tmp_path: Path, vendor: Vendor, vendor_url: str) -> None:
    def opened() -> House:
        return House(tmp_path, routes=[stored.routes()], pins=Pins(FileShelf(tmp_path / "pins.jsonl")))

    with opened() as first:
        lay_out(first, vendor_url)
        batch = ordered(Person(first, first.key), line())
    with opened() as second:
        lay_out(second, vendor_url)
        ends(vendor, batch, result("gpt-real"))
        assert look(second) == 1
        assert second.settled().id == event_id("openai", batch, "gpt-real")
        assert Person(second, second.key).ask("GET", f"/v1/batches/{batch}").status_code == 200
    with opened() as third:
        lay_out(third, vendor_url)
        assert look(third) == 0
        assert third.journaled() == []


def test_an_order_that_the_provider_refuses_is_no_batch(house: House, owner: Person, vendor: Vendor) -> None:
    file = owner.upload(line(), purpose="batch").json()["id"]
    vendor.answers("POST /batches", said({"error": {"message": "no"}}, status=400))
    answer = owner.ask("POST", "/v1/batches", json={"input_file_id": file})
    assert (answer.status_code, answer.json()) == (400, {"error": {"message": "no"}})
    assert look(house) == 0


def test_a_batch_that_its_provider_does_not_know_any_more_is_given_up_in_the_end(
    house: House, owner: Person, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = ordered(owner, line())
    vendor.answers(f"GET /batches/{batch}", {"error": {"message": "unknown"}}, status=404)
    assert look(house) == 0
    assert [ident for ident, _ in house.kit.pins._open.items()] == [batch]
    monkeypatch.setattr(watch, "GONE_AFTER", -1.0)
    assert look(house) == 0
    assert house.kit.pins._open == {}


def test_a_full_journal_leaves_a_batch_to_be_settled_later(
    house: House, owner: Person, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = ordered(owner, line())
    ends(vendor, batch, result("gpt-real"))

    def full(intent: Intent) -> None:
        raise JournalFull("The journal is full.")

    with monkeypatch.context() as patch:
        patch.setattr(house.journal, "intent", full)
        assert owner.ask("GET", f"/v1/batches/{batch}").status_code == 200
    assert house.journaled() == []
    assert look(house) == 1
    assert house.settled().usage["requests"] == 1

"""Images through OpenAI's SDK: made and edited, whole and as streams, and what they cost."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from dataplane.snapshot import PriceRecord
from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Gate, Provider, Reply, said, streamed

USAGE = {
    "input_tokens": 50,
    "output_tokens": 1056,
    "total_tokens": 1106,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}
DRAWN = {"created": 1, "data": [{"b64_json": "aGVsbG8="}], "usage": USAGE, "size": "1024x1024"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 64


def drawn(kind: str, number: int = 0) -> bytes:
    told: dict[str, Any] = {"type": kind, "b64_json": "aGVsbG8="}
    told |= {"partial_image_index": number} if kind.endswith("partial_image") else {"usage": USAGE}
    return f"event: {kind}\ndata: {json.dumps(told)}\n\n".encode()


def test_an_image_is_made_and_its_tokens_are_counted(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(said(DRAWN))

    answer = client.images.generate(model="painter", prompt="A cat", size="1024x1024", quality="medium", n=1)

    assert answer.data is not None
    assert answer.data[0].b64_json == "aGVsbG8="
    assert answer.usage is not None
    assert answer.usage.output_tokens == 1056
    assert provider.last.path == "/v1/images/generations"
    assert provider.last.json == {"model": "gpt-image-2", "prompt": "A cat", "size": "1024x1024", "quality": "medium", "n": 1}
    event = house.settled()
    assert (counted(event), event.estimated) == ({"input": 50, "output": 1056, "images": 1}, False)
    assert event.cost == "0.01066"


def test_images_that_tell_no_tokens_are_counted_where_each_has_a_price(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(said({"created": 1, "data": [{"url": "https://a"}, {"url": "https://b"}]}))

    client.images.generate(model="painter-each", prompt="A cat", n=2)

    event = house.settled()
    assert (counted(event), event.estimated, event.cost) == ({"images": 2}, False, "0.08")


def test_images_that_tell_nothing_are_estimated_where_tokens_are_priced(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(said({"created": 1, "data": [{"url": "https://a"}]}))

    client.images.generate(model="painter", prompt="A cat", size="1024x1024", quality="low")

    event = house.settled()
    assert event.estimated
    assert (counted(event)["output"], counted(event)["images"]) == (272, 1)


def test_the_tokens_of_what_is_written_as_a_drawing_are_counted_too(client: openai.OpenAI, house: House, provider: Provider) -> None:
    svg = {"input_tokens": 7, "output_tokens": 11, "reasoning_tokens": 3, "total_tokens": 18, "model": "x"}
    provider.then(said({**DRAWN, "svg_usage": svg}))
    client.images.generate(model="painter", prompt="A cat")
    assert counted(house.settled()) == {"input": 57, "output": 1067, "images": 1}


def test_an_image_comes_as_a_stream_piece_by_piece(client: openai.OpenAI, house: House, provider: Provider) -> None:
    gate = Gate()
    first, last = drawn("image_generation.partial_image"), drawn("image_generation.completed")
    provider.then(streamed(first, gate, last[:40], last[40:]))

    with client.images.generate(model="painter", prompt="A cat", stream=True, partial_images=1) as stream:
        assert next(iter(stream)).type == "image_generation.partial_image"
        gate.open()
        rest = list(stream)

    assert [one.type for one in rest] == ["image_generation.completed"]
    assert provider.last.json["stream"] is True
    event = house.settled()
    assert (counted(event), event.estimated) == ({"input": 50, "output": 1056, "images": 1}, False)


def test_an_event_as_large_as_an_image_passes(house: House, provider: Provider) -> None:
    """A picture of ten megapixels is more than what is otherwise taken for an attack on memory."""
    large = json.dumps({"type": "image_generation.completed", "b64_json": "A" * 12_000_000, "usage": USAGE}).encode()
    whole = b"event: image_generation.completed\ndata: " + large + b"\n\n"
    provider.then(streamed(*(whole[at : at + 1_000_000] for at in range(0, len(whole), 1_000_000))))

    answer = house.http.post(
        "/v1/images/generations",
        json={"model": "painter", "prompt": "A cat", "stream": True},
        headers={"authorization": f"Bearer {house.key}"},
    )

    assert answer.content == whole
    assert counted(house.settled()) == {"input": 50, "output": 1056, "images": 1}


@pytest.mark.parametrize("end", ["cut", "whole"])
def test_a_stream_that_breaks_off_ends_in_an_error_and_is_settled_as_an_estimate(end: Any, house: House, provider: Provider) -> None:
    told = b'event: error\ndata: {"type":"error","error":{"code":"moderation_blocked","message":"no"}}\n\n'
    first = drawn("image_generation.partial_image")
    provider.then(streamed(first, told if end == "whole" else b'event: image_generation.completed\ndata: {"ty', end=end))

    answer = house.http.post(
        "/v1/images/generations",
        json={"model": "painter", "prompt": "A cat", "stream": True},
        headers={"authorization": f"Bearer {house.key}"},
    )

    assert answer.content.startswith(first)
    assert b'"error"' in answer.content[len(first) :]
    event = house.settled()
    assert (event.outcome, event.estimated) == ("error", True)


def test_an_edit_reaches_the_provider_with_every_part_as_it_was(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(said(DRAWN))

    answer = client.images.edit(
        model="painter",
        image=[("a.png", PNG, "image/png"), ("b.png", PNG[::-1], "image/png")],
        mask=("m.png", PNG, "image/png"),
        prompt="More of it",
        n=1,
    )

    assert answer.data is not None
    asked = provider.last
    assert asked.path == "/v1/images/edits"
    content_type = asked.header("content-type") or ""
    assert content_type.startswith("multipart/form-data; boundary=")
    assert asked.header("content-length") == str(len(asked.body))
    boundary = content_type.partition("boundary=")[2].encode()
    parts = asked.body.split(b"--" + boundary)[1:-1]
    contents = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts]
    assert [PNG in contents, PNG[::-1] in contents, b"gpt-image-2" in contents, b"painter" in contents] == [True, True, True, False]
    assert sum(b'name="image[]"' in part for part in parts) == 2
    assert counted(house.settled()) == {"input": 50, "output": 1056, "images": 1}


def test_a_stream_of_an_edit_is_asked_for_in_the_form(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(streamed(drawn("image_edit.partial_image"), drawn("image_edit.completed")))

    with client.images.edit(model="painter", image=("a.png", PNG), prompt="More", stream=True) as stream:
        kinds = [one.type for one in stream]

    assert kinds == ["image_edit.partial_image", "image_edit.completed"]
    assert counted(house.settled()) == {"input": 50, "output": 1056, "images": 1}


def test_variations_are_made(client: openai.OpenAI, house: House, provider: Provider) -> None:
    provider.then(said({"created": 1, "data": [{"url": "https://a"}]}))
    with pytest.warns(DeprecationWarning, match="deprecated"):
        client.images.create_variation(model="painter-each", image=("a.png", PNG), n=1)
    assert provider.last.path == "/v1/images/variations"
    assert b"flux-2" in provider.last.body
    assert counted(house.settled()) == {"images": 1}


def post(house: House, key: str | None = None, **changes: Any) -> Any:
    body = {"model": "painter", "prompt": "A cat", **changes}
    return house.http.post("/v1/images/generations", json=body, headers={"authorization": f"Bearer {key or house.key}"})


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": None}, "model"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ["a"]}, "prompt"),
        ({"n": "two"}, "n"),
        ({"n": -1}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"svg": {"model": "gpt-9-pro"}}, "svg.model"),
        ({"Model": "other"}, "Model"),
    ],
)
def test_a_body_that_can_not_be_counted_with_is_refused_before_anything_leaves(
    changes: dict[str, Any], param: str, house: House, provider: Provider
) -> None:
    answer = post(house, **changes)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert provider.asked == []
    assert house.journaled() == []


def test_a_model_of_another_dialect_is_not_served_and_a_stranger_hears_of_none(house: House, provider: Provider, stranger: str) -> None:
    for model in ("claude", "vectors-google", "ranks-cohere"):
        answer = post(house, model=model)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "dialect_not_served")
    unknown = post(house, stranger)
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    assert provider.asked == []


def test_every_image_that_is_asked_for_is_reserved_and_a_used_up_budget_ends_the_teams(
    house: House, provider: Provider, team_mate: str
) -> None:
    provider.fallback = said({"created": 1, "data": [{"url": "https://a"}] * 2})
    house.contents.budget(f"team:{house.team}", 200_000_000)
    house.publish()

    assert post(house, model="painter-each", n=3).status_code == 200
    event = house.settled()
    assert house.reading.intents[event.id].reserve == 120_000_000, "three were asked for"
    assert event.cost == "0.08", "two came"
    assert post(house, team_mate, model="painter-each", n=2).status_code == 200
    assert post(house, team_mate, model="painter-each", n=2).status_code == 402, "what is left is one image's price"
    assert len(provider.asked) == 2


def test_what_an_images_size_and_quality_can_cost_is_reserved(house: House, provider: Provider) -> None:
    provider.fallback = said(DRAWN)
    house.contents.budget(f"team:{house.team}", 10**12)
    house.publish()
    reserved = []
    for quality, size, n in (("low", "1024x1024", 1), ("high", "1024x1536", 1), ("high", "1024x1536", 4), ("auto", "auto", 1)):
        assert post(house, quality=quality, size=size, n=n).status_code == 200
        reserved.append(house.reading.intents[house.settled().id].reserve)
    # 10 USD a million tokens are 10,000 nano-USD each.
    assert [amount // 10_000 for amount in reserved] == [277, 6245, 24965, 6245]


def test_a_refusal_of_the_provider_passes_and_costs_nothing(house: House, provider: Provider) -> None:
    provider.then(said({"error": {"code": "moderation_blocked", "message": "no", "type": "image_generation_user_error"}}, status=400))
    answer = post(house)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "moderation_blocked")
    assert house.settled().cost == "0"
    provider.then(Reply(status=413, headers=(("content-type", "text/html"),), pieces=(b"<h1>large</h1>",), sized=True))
    assert post(house).content == b"<h1>large</h1>"


def test_an_answer_that_is_no_json_is_garbled_and_paid_as_an_estimate(house: House, provider: Provider) -> None:
    provider.then(Reply(pieces=(b'{"data": [',), sized=True))
    answer = post(house)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_garbled")
    assert house.settled().estimated


def test_a_price_of_both_tokens_and_images_charges_what_was_told_of_each(house: House, provider: Provider) -> None:
    both = PriceRecord(ref="price:both:1", input="1", output="1", image="0.01")
    contents = house.contents
    contents.grant(f"team:{house.team}", contents.model("painter-both", contents.deployment("openai", "x", price=both)))
    house.publish()
    provider.then(said(DRAWN))
    post(house, model="painter-both")
    assert house.settled().cost == "0.011106"

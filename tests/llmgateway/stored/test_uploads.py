"""Files on their way to a provider: as they are, or line by line where they are a batch."""

from __future__ import annotations

import json
from pathlib import Path

import openai
import pytest

from dataplane.pins import Pin
from llmgateway.proxy import stored
from llmgateway.proxy.stored import uploads
from tests.fakes.house import House
from tests.fakes.provider import Reply
from tests.fakes.storing import Person, Vendor, lay_out, line
from tests.fakes.wire import exchange, head


def file_sent(vendor: Vendor) -> bytes:
    """The content of the one file in the form that the provider got."""
    asked = vendor.provider.last
    boundary = (asked.header("content-type") or "").partition("boundary=")[2].encode()
    parts = asked.body.split(b"--" + boundary)
    content = next(part for part in parts if b'name="file"' in part).partition(b"\r\n\r\n")[2]
    return content.removesuffix(b"\r\n")


def test_an_upload_reaches_the_provider_byte_for_byte_with_its_length(owner: Person, vendor: Vendor) -> None:
    boundary = b"a-boundary"
    form = b"\r\n".join(
        [
            b"--a-boundary",
            b'Content-Disposition: form-data; name="file"; filename="ODD name.bin"',
            b"Content-Type: application/octet-stream",
            b"",
            bytes(range(256)) * 8192,
            b"--a-boundary",
            b'content-disposition: form-data; name="purpose"',
            b"",
            b"user_data",
            b"--a-boundary--",
            b"",
        ]
    )
    content_type = f"multipart/form-data; boundary={boundary.decode()}"
    answer = owner.ask("POST", "/v1/files", content=form, headers={"content-type": content_type})
    assert answer.json()["id"] == "file_1"
    asked = vendor.provider.last
    assert asked.body == form
    assert (asked.header("content-type"), asked.header("content-length")) == (content_type, str(len(form)))
    assert asked.header("authorization") == "Bearer sk-openai"


def test_the_sdk_uploads_lists_reads_and_deletes_a_file(house: House, owner: Person, vendor: Vendor) -> None:
    content = b"text " * 300_000
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key=owner.key, max_retries=0) as client:
        made = client.files.create(file=("words.txt", content), purpose="user_data")
        vendor.answers("GET /files", {"object": "list", "data": [{"id": made.id, "object": "file"}], "has_more": False})
        vendor.answers(
            f"GET /files/{made.id}/content", Reply(headers=(("content-type", "application/octet-stream"),), pieces=(content,), sized=True)
        )
        assert [file.id for file in client.files.list()] == [made.id]
        assert client.files.content(made.id).read() == content
        client.files.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            client.files.content(made.id)
    assert house.journaled() == []


async def test_a_large_file_that_breaks_off_is_shorter_than_was_said(tmp_path: Path, vendor: Vendor, vendor_url: str) -> None:
    house = House(tmp_path, routes=[stored.routes()])
    lay_out(house, vendor_url)
    provider = house.contents.providers["openai"]
    house.kit.pins.remember("file_1", Pin(provider=provider.id, provider_name="openai", owner=f"team:{house.team}", kind="file"))
    broken = Reply(headers=(("content-type", "application/octet-stream"),), pieces=(b"x" * 3_000_000,), sized=True, end="cut")
    vendor.answers("GET /files/file_1/content", broken)
    async with house.bare_client() as client:
        answer = await client.get("/v1/files/file_1/content", headers={"authorization": f"Bearer {house.key}"})
    assert (answer.status_code, answer.headers["content-length"]) == (200, "3000001")
    assert len(answer.content) <= 3_000_000
    await house.kit.close()


def test_the_lines_of_a_batch_go_out_with_the_providers_own_names(owner: Person, vendor: Vendor) -> None:
    lines = [line("gpt", number=1, odd={"b": 1.10, "a": "Ü"}), b"", line("small", number=2) + b"\r"]
    assert owner.upload(b"\n".join(lines), purpose="batch").status_code == 200
    sent = file_sent(vendor).splitlines()
    assert b'"odd":{"b": 1.1, "a": "\\u00dc"}' in sent[0]
    bodies = [json.loads(text) for text in sent]
    assert [body["body"]["model"] for body in bodies] == ["gpt-real", "small-real"]
    expected = [json.loads(text) for text in lines if text]
    for body, was in zip(bodies, expected, strict=True):
        assert {**body, "body": {**body["body"], "model": was["body"]["model"]}} == was


GOOD = line()
REFUSED_LINES: list[tuple[bytes, str, str]] = [
    (line("hidden"), "model_not_found", "Line 2: The model 'hidden'"),
    (line("absent"), "model_not_found", "Line 2: The model 'absent'"),
    (b"{", "invalid_json", "Line 2:"),
    (b"[]", "invalid_json", "Line 2:"),
    (b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions"}', "invalid_json", "Line 2:"),
    (line(url="/v1/images/generations"), "unsupported_url", "Line 2:"),
    (line(url="/v1/responses", input="Hello."), "invalid_value", "Line 2:"),
    (GOOD.replace(b"POST", b"GET"), "unsupported_url", "Line 2:"),
    (GOOD.replace(b'"body"', b'"Body"'), "ambiguous_field", "Line 2:"),
    (GOOD.replace(b'"model"', b'"Model"'), "ambiguous_field", "Line 2:"),
    (line(max_tokens=-1), "invalid_value", "Line 2:"),
    (line(messages=[{"role": "user", "content": [{"type": "file", "file": {"file_id": "file_9"}}]}]), "not_found", "Line 2:"),
]


@pytest.mark.parametrize(("bad", "code", "text"), REFUSED_LINES)
def test_a_line_that_may_not_be_called_is_refused_before_anything_is_uploaded(
    bad: bytes, code: str, text: str, owner: Person, vendor: Vendor
) -> None:
    answer = owner.upload(b"\n".join([GOOD, bad, GOOD]), purpose="batch")
    error = answer.json()["error"]
    assert answer.status_code == (404 if code == "not_found" else 400)
    assert error["code"] == code
    assert error["message"].startswith(text)
    assert vendor.asked == []


def test_two_names_of_one_model_are_not_used_in_a_batch(house: House, owner: Person, vendor: Vendor) -> None:
    contents = house.contents
    contents.grant(f"team:{house.team}", contents.model("alias", contents.deployment("openai", "gpt-real")))
    house.publish()
    error = owner.upload(b"\n".join([line("gpt"), line("alias")]), purpose="batch").json()["error"]
    assert error["code"] == "ambiguous_model"
    assert vendor.asked == []


def test_a_line_may_refer_to_a_file_of_ones_own(house: House, owner: Person, vendor: Vendor) -> None:
    provider = house.contents.providers["openai"]
    house.kit.pins.remember("file_9", Pin(provider=provider.id, provider_name="openai", owner=f"team:{house.team}", kind="file"))
    content = line(messages=[{"role": "user", "content": [{"type": "file", "file": {"file_id": "file_9"}}]}])
    assert owner.upload(content, purpose="batch").status_code == 200


@pytest.mark.parametrize("content", [b"", b"\n\n\r\n"])
def test_a_batch_without_a_line_is_refused(content: bytes, owner: Person, vendor: Vendor) -> None:
    assert owner.upload(content, purpose="batch").json()["error"]["code"] == "empty_file"
    assert vendor.asked == []


def part(name: str, content: bytes, *, filename: str | None = None) -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"'
    return (head + ("" if filename is None else f'; filename="{filename}"') + "\r\n\r\n").encode() + content + b"\r\n"


PURPOSE, FILE, END = part("purpose", b"batch"), part("file", GOOD, filename="a.jsonl"), b"--b--\r\n"
BROKEN: list[tuple[str, bytes]] = [
    ("application/json", b"{}"),
    ("multipart/form-data", PURPOSE + FILE + END),
    ("multipart/form-data; boundary=other", PURPOSE + FILE + END),
    ("multipart/form-data; boundary=b", b""),
    ("multipart/form-data; boundary=b", PURPOSE + FILE),
    ("multipart/form-data; boundary=b", PURPOSE + END),
    ("multipart/form-data; boundary=b", FILE + END),
    ("multipart/form-data; boundary=b", PURPOSE + FILE + FILE + END),
    ("multipart/form-data; boundary=b", PURPOSE + part("purpose", b"vision") + FILE + END),
    ("multipart/form-data; boundary=b", PURPOSE + part("file", GOOD) + END),
    ("multipart/form-data; boundary=b", PURPOSE + FILE.replace(b"form-data", b"attachment") + END),
    ("multipart/form-data; boundary=b", PURPOSE + b"--bX" + FILE + END),
    ("multipart/form-data; boundary=b", part("purpose", b"\xff") + FILE + END),
    ("multipart/form-data; boundary=b", b"".join(part(f"p{number}", b"") for number in range(70)) + END),
]


@pytest.mark.parametrize(("content_type", "form"), BROKEN)
def test_a_broken_form_is_refused(content_type: str, form: bytes, owner: Person, vendor: Vendor) -> None:
    answer = owner.ask("POST", "/v1/files", content=form, headers={"content-type": content_type})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in ("invalid_form", "missing_field", "invalid_type")
    assert vendor.asked == []


def test_an_upload_past_the_limit_is_refused_before_it_is_read(house: House, owner: Person, vendor: Vendor) -> None:
    pairs = [("host", "house"), ("authorization", f"Bearer {owner.key}"), ("content-type", "multipart/form-data; boundary=b")]
    answer = exchange(house.url, head("POST", "/v1/files", [*pairs, ("content-length", str(300 * 1024 * 1024))]))
    assert answer.status == 413
    assert vendor.asked == []


def test_nothing_of_an_upload_is_left_on_disk(house: House, owner: Person, vendor: Vendor) -> None:
    owner.upload(b"x" * 2_000_000)
    owner.upload(line(), purpose="batch")
    assert [path.name for path in house.home.iterdir() if path.name.startswith(".upload")] == []


def test_more_uploads_than_there_is_room_for_are_asked_to_come_again(
    owner: Person, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "AT_ONCE", 0)
    answer = owner.upload(b"text")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert vendor.asked == []


def test_an_upload_that_does_not_come_to_its_end_is_given_up(
    house: House, owner: Person, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [("host", "house"), ("authorization", f"Bearer {owner.key}"), ("content-type", "multipart/form-data; boundary=b")]
    with monkeypatch.context() as patch:
        patch.setattr(uploads, "PATIENCE", 0.05)
        answer = exchange(house.url, head("POST", "/v1/files", [*pairs, ("content-length", "1000")]) + b"--b\r\n")
    assert answer.status == 408
    assert answer.json["error"]["code"] == "request_timeout"
    assert vendor.asked == []
    assert owner.upload(b"text").status_code == 200, "its place is free again"

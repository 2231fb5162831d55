"""Forms that no honest client sends, and forms that are merely odd: what is refused leaves nothing behind, what passes is
the same bytes but for the name of the model."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.errors import RateLimited
from llmgateway.proxy.media import forms
from llmgateway.proxy.media.forms import Forms, Spliced
from llmgateway.proxy.stored.spool import Spool
from tests.fakes.house import House
from tests.fakes.provider import Provider, said
from tests.fakes.wire import exchange, head

SOUND = bytes(range(256)) * 64
ADDRESS = "/v1/audio/transcriptions"


def part(name: str, content: bytes, *more: bytes, filename: str | None = None) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    return b"\r\n".join([disposition.encode(), *more, b"", content])


FILE = part("file", SOUND, b"Content-Type: audio/mpeg", filename="a.mp3")
MODEL = part("model", b"ear")


def form(parts: Iterable[bytes], boundary: bytes = b"B", *, end: bytes = b"--\r\n") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + one + b"\r\n" for one in parts) + b"--" + boundary + end


def post(house: House, body: bytes, content_type: str = "multipart/form-data; boundary=B", path: str = ADDRESS) -> httpx.Response:
    return house.http.post(path, content=body, headers={"authorization": f"Bearer {house.key}", "content-type": content_type})


FOLDED = b'Content-Disposition: form-data;\r\n name="model"\r\n\r\near'
BROKEN: dict[str, tuple[bytes, str | None]] = {
    "empty": (b"", None),
    "no boundary in it": (b"hello", None),
    "no end": (form([MODEL, FILE], end=b""), None),
    "no model": (form([FILE]), "model"),
    "an empty model": (form([part("model", b""), FILE]), "model"),
    "a model that is a file": (form([part("model", b"ear", filename="m"), FILE]), "model"),
    "a model that is no text": (form([part("model", b"\xff\xfe"), FILE]), "model"),
    "a model as long as a book": (form([part("model", b"x" * 70_000), FILE]), "model"),
    "two models": (form([MODEL, part("model", b"claude"), FILE]), "model"),
    "a model in another spelling": (form([MODEL, part("Model", b"claude"), FILE]), "Model"),
    "a model in brackets": (form([MODEL, part("model[]", b"claude"), FILE]), "model[]"),
    "two numbers": (form([MODEL, part("n", b"1"), part("n", b"9"), FILE]), "n"),
    "a stream that is neither": (form([MODEL, part("stream", b"perhaps"), FILE]), "stream"),
    "too many parts": (form([MODEL, *(part(f"x{number}", b"") for number in range(10_000))]), None),
    "a header that does not end": (form([MODEL, part("file", b"", b"X: " + b"y" * 20_000, filename="a")]), None),
    "a name that ends a line": (form([MODEL, part("file", SOUND, filename="a\r\nX-Evil: 1")]), None),
    "a name with a bare line feed": (form([MODEL, part("file", SOUND, filename="a\nb")]), None),
    "a name with a bare return": (form([MODEL, part("file", SOUND, filename="a\rb")]), None),
    "a second name in one part": (form([MODEL, b'Content-Disposition: form-data; name="x"; name="model"\r\n\r\nclaude']), None),
    "a name inside of another": (form([MODEL, b'Content-Disposition: form-data; filename="; name="model"\r\n\r\nclaude']), None),
    "a second disposition": (form([MODEL, part("x", b"claude", b'Content-Disposition: form-data; name="model"')]), None),
    "a disposition behind a bare line feed": (
        form([MODEL, part("x", b"claude", b'X: y\nContent-Disposition: form-data; name="model"')]),
        None,
    ),
    "a folded header": (form([FOLDED, FILE]), None),
    "another disposition": (form([MODEL, b'Content-Disposition: attachment; name="x"\r\n\r\ny']), None),
    "no disposition": (form([MODEL, b"Content-Type: text/plain\r\n\r\ny"]), None),
    "a boundary behind a bare line feed": (
        form([MODEL, part("file", b'a\n--B\nContent-Disposition: form-data; name="model"\n\nclaude', filename="a")]),
        None,
    ),
    "a part before the first": (b'--B\nContent-Disposition: form-data; name="model"\n\nclaude\r\n' + form([MODEL, FILE]), None),
    "a part behind the last": (form([MODEL, FILE]) + form([part("model", b"claude")]), None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_form_is_refused_before_anything_leaves(name: str, house: House, provider: Provider) -> None:
    provider.fallback = said({"text": "never"})
    body, param = BROKEN[name]

    answer = post(house, body)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert provider.asked == []
    assert house.journaled() == []


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=B",
        "text/plain; boundary=B",
    ],
)
def test_a_body_that_is_no_form_is_refused(content_type: str, house: House, provider: Provider) -> None:
    answer = post(house, form([MODEL, FILE]), content_type)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_form")
    assert provider.asked == []


def test_a_form_whose_image_is_drawn_by_a_second_model_is_refused(house: House, provider: Provider) -> None:
    parts = [part("model", b"painter"), part("svg[model]", b"gpt-9-pro"), part("image", SOUND, filename="a.png")]
    answer = post(house, form(parts), path="/v1/images/edits")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "svg.model")
    assert provider.asked == []


def test_a_form_that_is_too_large_is_refused_by_its_length_alone(house: House, provider: Provider) -> None:
    headers = [
        ("host", house.url.removeprefix("http://")),
        ("authorization", f"Bearer {house.key}"),
        ("content-type", "multipart/form-data; boundary=B"),
        ("content-length", str(forms.MAX_FORM + 1)),
    ]
    answer = exchange(house.url, head("POST", ADDRESS, headers))
    assert (answer.status, answer.json["error"]["code"]) == (413, "request_too_large")
    assert provider.asked == []


def test_an_odd_form_passes_with_all_of_its_oddities(house: House, provider: Provider) -> None:
    provider.then(said({"text": "Hello."}))
    boundary = b"----odd.boundary_1'()+,-./:=?"
    parts = [
        part("timestamp_granularities[]", b"word"),
        part("timestamp_granularities[]", b"segment"),
        b'content-disposition:form-data; name="file"; filename="Gr\xc3\xbc\xc3\x9fe \\".mp3"; filename*=utf-8\'\'a\r\nX-Odd: yes\r\n\r\n'
        + SOUND,
        part("language", b""),
        part("future_field", b'{"a": 1}', b"Content-Type: application/json"),
        part("model", b"ear"),
    ]
    before, after = b"a preamble\r\n", b"an epilogue"
    body = before + form(parts, boundary) + after

    answer = post(house, body, f'Multipart/Form-Data; charset=utf-8; boundary="{boundary.decode()}"')

    assert answer.status_code == 200
    assert provider.last.body == body.replace(b"\r\n\r\near\r\n", b"\r\n\r\ngpt-4o-transcribe\r\n")
    assert provider.last.header("content-type") == f'Multipart/Form-Data; charset=utf-8; boundary="{boundary.decode()}"'
    assert provider.last.header("authorization") == "Bearer sk-openai"


def test_a_form_of_megabytes_passes_whole(house: House, provider: Provider) -> None:
    provider.then(said({"text": "Hello."}))
    body = form([part("file", SOUND * 400, filename="a.wav"), MODEL])
    assert post(house, body).status_code == 200
    assert provider.last.body == body.replace(b"\r\n\r\near\r\n", b"\r\n\r\ngpt-4o-transcribe\r\n")
    assert provider.last.header("content-length") == str(len(provider.last.body))


async def test_more_forms_than_a_worker_puts_by_at_once_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "AT_ONCE", 1)
    taking = Forms()
    arrived = asyncio.Event()

    class Slow:
        def header(self, name: bytes) -> str | None:
            return "multipart/form-data; boundary=B" if name == b"content-type" else None

        async def receive(self) -> dict[str, Any]:
            arrived.set()
            await asyncio.Event().wait()
            return {}

    request: Any = Slow()
    first = asyncio.create_task(taking.take(request, tmp_path, single=frozenset()))
    await arrived.wait()
    with pytest.raises(RateLimited):
        await taking.take(request, tmp_path, single=frozenset())
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


@given(
    data=st.binary(min_size=1, max_size=2000),
    at=st.integers(0, 2000),
    size=st.integers(0, 50),
    text=st.binary(max_size=60),
    chunk=st.integers(1, 300),
)
def test_one_place_is_replaced_wherever_it_lies(data: bytes, at: int, size: int, text: bytes, chunk: int) -> None:
    start = min(at, len(data) - 1)
    end = min(start + size, len(data))
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr("llmgateway.proxy.stored.spool.CHUNK", chunk)
        spool = Spool(Path(directory))
        spool.write([data])
        spliced = Spliced(spool, start, end, text)

        async def joined() -> bytes:
            return b"".join([one async for one in spliced.chunks()])

        whole = asyncio.run(joined())
    assert whole == data[:start] + text + data[end:]
    assert spliced.length == len(whole)

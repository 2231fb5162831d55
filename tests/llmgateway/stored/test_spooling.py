"""An upload is never in memory as a whole, neither on its way in nor on its way out."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.asgi import Disconnected, Request
from dataplane.errors import PayloadTooLarge
from llmgateway.proxy.stored.spool import Spool, received

PIECE = b"x" * 65536


def request(pieces: int, *, ends: bool = True) -> Request:
    left = iter(range(pieces))

    async def receive() -> dict[str, Any]:
        number = next(left, None)
        if number is None and not ends:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"" if number is None else PIECE, "more_body": number is not None}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    return Request({"method": "POST", "path": "/v1/files", "headers": []}, receive, send)


async def test_memory_does_not_grow_with_the_upload(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        spool = await received(request(1024), tmp_path, limit=1 << 30)
        size = 0
        async for chunk in spool.chunks():
            size += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == spool.length == 1024 * len(PIECE)
    assert peak < 8 * 1024 * 1024


async def test_an_upload_without_a_length_is_cut_at_the_limit(tmp_path: Path) -> None:
    with pytest.raises(PayloadTooLarge):
        await received(request(100), tmp_path, limit=50 * len(PIECE))
    assert list(tmp_path.iterdir()) == []


async def test_a_caller_that_leaves_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(Disconnected):
        await received(request(100, ends=False), tmp_path, limit=1 << 30)
    assert list(tmp_path.iterdir()) == []


@given(parts=st.lists(st.binary(max_size=300), max_size=20))
async def test_what_goes_in_comes_out_each_time(parts: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    spool = Spool(tmp_path_factory.getbasetemp())
    spool.write(parts)
    for _ in range(2):
        assert b"".join([chunk async for chunk in spool.chunks()]) == b"".join(parts)

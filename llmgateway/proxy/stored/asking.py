"""What the house asks a provider on its own, beside or inside of a caller's request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from dataplane.asgi import Headers
from dataplane.call import Leg
from dataplane.errors import UpstreamFailed
from dataplane.upstream import Answer
from llmgateway.proxy.stored.relaying import passed_headers, refused_account

LONGEST_LINE = 32 * 1024 * 1024


class Told(NamedTuple):
    status: int
    headers: Headers
    body: bytes


@asynccontextmanager
async def asked(leg: Leg, *, stream: bool = False) -> AsyncIterator[Answer]:
    """The answer while it is open. Raises UpstreamFailed."""
    headers = leg.headers if leg.authorize is None else [*leg.headers, *await leg.authorize()]
    answer = await leg.upstream.send(leg.method, leg.url, headers=headers, body=leg.body, stream=stream)
    try:
        yield answer
    finally:
        await answer.close()


async def ask(leg: Leg) -> Told:
    """A whole answer, an error of the provider's included. Raises UpstreamFailed, also when the house's account is refused."""
    async with asked(leg) as answer:
        body = await answer.read()
        return Told(answer.status, passed_headers(answer), refused_account(answer, body))


async def lines(answer: Answer) -> AsyncIterator[bytes]:
    """The lines of an answer, without their ends and without empty ones, holding no more than one of them."""
    rest: list[bytes] = []
    size = 0
    while (chunk := await answer.chunk()) is not None:
        head, *others = chunk.split(b"\n")
        rest.append(head)
        size += len(head)
        if size > LONGEST_LINE:
            raise UpstreamFailed("A line of the provider's file is larger than the house reads.", code="upstream_answer_too_large")
        for following in others:
            if line := b"".join(rest).strip():
                yield line
            rest, size = [following], len(following)
        await asyncio.sleep(0)
    if line := b"".join(rest).strip():
        yield line

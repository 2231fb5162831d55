"""A program for the tests of the servers: serves a small ASGI app on a free port and prints that port.

It leaves what it saw in the folder of its first argument: one file per thing, so that a test can wait for it. Further
arguments shorten the server's patience: `STALLED_SECONDS=0.5`.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Any

NOTES = Path(sys.argv[1])
CHUNK = b"x" * 65536


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await (_quiet_socket(receive, send) if scope["path"] == "/ws/quiet" else _socket(receive, send))
        return
    path = scope["path"]
    headers = [(b"content-type", b"text/plain")]
    if path == "/echo":
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 200, "headers": [*headers, (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if path == "/flood":
        await _flood(send, limit=4000)
    elif path == "/stream":
        for number in range(30):
            await send({"type": "http.response.body", "body": b"event %d\n" % number, "more_body": True})
            await asyncio.sleep(0.05)
    elif path == "/hold":
        await receive()
        await send({"type": "http.response.body", "body": b"held", "more_body": True})
        note("held", "yes")
        while (await receive())["type"] != "http.disconnect":
            continue
        note("disconnected", "yes")
        return
    await send({"type": "http.response.body", "body": b""})


async def _flood(send: Any, *, limit: int) -> None:
    for number in range(limit):
        note("chunks", str(number))
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})


async def _socket(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    for number in range(4000):
        note("frames", str(number))
        await send({"type": "websocket.send", "bytes": CHUNK})


async def _quiet_socket(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    note("accepted", "yes")
    note("left", str((await receive())["code"]))


def note(name: str, text: str) -> None:
    (NOTES / name).write_text(text)


def main() -> None:
    from config import channel, daphne  # isort: skip  # first: it installs the reactor
    from twisted.internet import reactor  # isort: skip

    for name, _, value in (argument.partition("=") for argument in sys.argv[2:]):
        setattr(channel if hasattr(channel, name) else daphne, name, float(value))

    async def started() -> None:
        note("started", "yes")

    async def draining() -> None:
        note("draining", "yes")

    async def stopped() -> None:
        note("stopped", "yes")

    server = daphne.HouseServer(
        app, host="127.0.0.1", port=0, drain_seconds=20, trust_proxy=False, on_start=started, on_drain=draining, on_stop=stopped
    )

    def tell() -> None:
        with contextlib.suppress(IndexError):
            print(server.listening_addresses[0][1], flush=True)
            return
        reactor.callLater(0.01, tell)

    reactor.callWhenRunning(tell)
    server.run()


if __name__ == "__main__":
    main()

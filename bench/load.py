"""A bounded load generator on raw connections: closed-loop calls and paced streams. Prints one JSON line.

Run as a process of its own, so that its CPU is nobody else's. Only ever sent to loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class Client(asyncio.Protocol):
    """One keep-alive connection with one call under way. `marks` are the arrival times of a stream's events."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.buffer = b""
        self.marks: list[float] = []
        self.done: asyncio.Future[bytes] | None = None
        self.streamed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_exception(ConnectionError(f"closed by the server: {exc}"))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.streamed and (events := data.count(b"data:")):
            self.marks.extend([time.perf_counter()] * events)
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0 or self.done is None or self.done.done():
            return
        length = LENGTH.search(self.buffer[: end + 2])
        if length is not None:
            if len(self.buffer) - end - 4 >= int(length.group(1)):
                self.done.set_result(self.buffer)
        elif self.buffer.endswith(b"\r\n0\r\n\r\n"):
            self.done.set_result(self.buffer)

    async def call(self, request: bytes, *, streamed: bool) -> bytes:
        self.buffer, self.marks, self.streamed = b"", [], streamed
        self.done = asyncio.get_running_loop().create_future()
        if self.transport is None or self.transport.is_closing():
            raise ConnectionError("not connected")
        self.transport.write(request)
        return await self.done


def compose(url: str, headers: list[str], body: bytes) -> bytes:
    parts = urlsplit(url)
    lines = [
        f"POST {parts.path} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Tally:
    def __init__(self) -> None:
        self.times: list[float] = []
        self.lags: list[float] = []
        self.calls = self.failed = self.events = 0
        self.statuses: dict[str, int] = {}


async def worker(options: argparse.Namespace, request: bytes, tally: Tally, until: float) -> None:
    """Calls one after the other until the time is up or the number of calls is reached."""
    parts = urlsplit(options.url)
    loop = asyncio.get_running_loop()
    client: Client | None = None
    while time.perf_counter() < until and (not options.calls or tally.calls < options.calls):
        tally.calls += 1
        if client is None:
            _, client = await loop.create_connection(Client, parts.hostname, parts.port)
        begun = time.perf_counter()
        try:
            answer = await asyncio.wait_for(client.call(request, streamed=options.stream), options.timeout)
        except (OSError, TimeoutError):
            tally.failed += 1
            client = None
            continue
        tally.times.append(time.perf_counter() - begun)
        status = answer[9:12].decode()
        tally.statuses[status] = tally.statuses.get(status, 0) + 1
        if options.stream:
            tally.events += len(client.marks)
            gap = options.gap
            tally.lags += [mark - client.marks[0] - gap * number for number, mark in enumerate(client.marks[:-3])] if gap else []


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--calls", type=int, default=0, help="stop after so many calls")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--gap", type=float, default=0.0, help="the upstream's pace, to tell how late events are")
    parser.add_argument("--timeout", type=float, default=60.0)
    options = parser.parse_args()
    request = compose(options.url, options.header, options.body.read_bytes())
    tally = Tally()
    begun = time.perf_counter()
    await asyncio.gather(*(worker(options, request, tally, begun + options.seconds) for _ in range(options.connections)))
    took = time.perf_counter() - begun
    print(
        json.dumps(
            {
                "calls": len(tally.times),
                "failed": tally.failed,
                "statuses": tally.statuses,
                "per_second": len(tally.times) / took,
                "p50_ms": percentile(tally.times, 0.5) * 1000,
                "p99_ms": percentile(tally.times, 0.99) * 1000,
                "events": tally.events,
                "late_p99_ms": percentile(tally.lags, 0.99) * 1000,
                "late_max_ms": max(tally.lags, default=0.0) * 1000,
            }
        )
    )


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())

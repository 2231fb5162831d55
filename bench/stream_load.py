"""Many streams at once on raw connections: whether every event comes, in order, and how long after it was sent.

The upstream writes each event's number and the time it was sent into it (the monotonic clock is the machine's, so it means the
same in every process). Prints one JSON line. Only ever sent to loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.load import compose, percentile

EVENT = re.compile(rb'"content":" (\d+) ([\d.]+)"')
STATUS = re.compile(rb"HTTP/1\.1 (\d+)")
END = b"data: [DONE]"


class Stream(asyncio.Protocol):
    """One call. `numbers` are those of its events as they came, `lags` the seconds from sent to received."""

    def __init__(self, request: bytes) -> None:
        self.numbers: list[int] = []
        self.lags: list[float] = []
        self.whole = False
        self.status = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        data = self._rest + data
        if not self.status and (found := STATUS.match(data)):
            self.status = int(found.group(1))
        end = 0
        for match in EVENT.finditer(data):
            self.numbers.append(int(match.group(1)))
            self.lags.append(now - float(match.group(2)))
            end = match.end()
        self._rest = data[max(end, len(data) - 256) :]
        if END in data:
            self.whole = True
        if data.endswith(b"0\r\n\r\n"):
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
            self._transport.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--streams", type=int, default=512)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--timeout", type=float, default=120.0)
    options = parser.parse_args()
    request = compose(options.url, options.header, options.body.read_bytes())
    parts, loop = urlsplit(options.url), asyncio.get_running_loop()
    streams: list[Stream] = []
    for number in range(options.streams):
        _, stream = await loop.create_connection(lambda: Stream(request), parts.hostname, parts.port)
        streams.append(stream)
        if number % 16 == 15:
            await asyncio.sleep(0.02)  # they begin over some time, as callers do, and then all run at once
    print(json.dumps({"opened": len(streams)}), flush=True)
    await asyncio.wait_for(asyncio.gather(*(stream.done for stream in streams)), options.timeout)
    lags = [lag for stream in streams for lag in stream.lags]
    expected = list(range(options.events))
    print(
        json.dumps(
            {
                "streams": len(streams),
                "ok": sum(stream.status == 200 for stream in streams),
                "ended": sum(stream.whole for stream in streams),
                "in_order": sum(stream.numbers == expected for stream in streams),
                "events": len(lags),
                "lost": options.events * len(streams) - len(lags),
                "late_p50_ms": percentile(lags, 0.5) * 1000,
                "late_p99_ms": percentile(lags, 0.99) * 1000,
                "late_max_ms": max(lags, default=0.0) * 1000,
            }
        )
    )


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())

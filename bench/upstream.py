"""A fast fake upstream for measurements: OpenAI-compatible chat (whole and streamed) and a stateless MCP server.

One process and one event loop on hand-written HTTP/1.1, so that it costs far less than whatever stands before it. It
trusts its clients and listens on loopback only.

    POST /v1/chat/completions   fixed JSON with usage, or paced SSE when the body says "stream": true
    POST /mcp                   JSON-RPC of both eras: initialize, server/discover, tools/list, tools/call
    POST <any>/count            bodies seen so far, for proofs that count calls
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import time
from typing import Any

LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
REQUEST_ID = re.compile(rb"\r\nx-request-id:[ \t]*([^\r]+)", re.IGNORECASE)
STREAMED = re.compile(rb'"stream"\s*:\s*true')
WITH_USAGE = re.compile(rb'"include_usage"\s*:\s*true')
TEXT = "A fixed answer of the fake upstream, about as long as a short reply in a chat, so that there is something to parse and to meter."
USAGE = {
    "prompt_tokens": 42,
    "completion_tokens": 64,
    "total_tokens": 106,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}
HEAD = {"id": "chatcmpl-bench", "created": 1750000000, "model": "bench-model"}
EVENT_STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)


def dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)


CHAT = answer(
    dump(
        {
            **HEAD,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT * 4}, "finish_reason": "stop"}],
            "usage": USAGE,
        }
    )
)
SERVER = {"name": "bench", "version": "1"}
TOOLS = [
    {
        "name": f"tool_{number}",
        "description": f"Fake tool {number} with a description of an ordinary length.",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    }
    for number in range(10)
]


def chunk(data: bytes) -> bytes:
    event = b"data: " + data + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


def delta(content: dict[str, Any], *, finish: str | None = None, usage: bool = False) -> bytes:
    body = {**HEAD, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": content, "finish_reason": finish}]}
    return chunk(dump({**body, "usage": None} if usage else body))


def parts(*, usage: bool) -> tuple[bytes, bytes, bytes]:
    last = delta({}, finish="stop", usage=usage)
    if usage:
        last += chunk(dump({**HEAD, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}))
    return (
        delta({"role": "assistant", "content": ""}, usage=usage),
        delta({"content": " token"}, usage=usage),
        last + chunk(b"[DONE]") + b"0\r\n\r\n",
    )


PARTS = {asked: parts(usage=asked) for asked in (False, True)}


def rpc(body: bytes) -> bytes:
    message = json.loads(body)
    method, ident, params = message.get("method"), message.get("id"), message.get("params") or {}
    if ident is None:
        return answer(b"", b"202 Accepted")
    modern = "io.modelcontextprotocol/protocolVersion" in (params.get("_meta") or {})
    extra: dict[str, Any] = {"resultType": "complete"} if modern else {}
    if method == "tools/call":
        result: dict[str, Any] = {"content": [{"type": "text", "text": "done"}], "isError": False, **extra}
    elif method == "tools/list":
        result = {"tools": TOOLS, **extra, **({"ttlMs": 0, "cacheScope": "private"} if modern else {})}
    elif method == "server/discover":
        result = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "ttlMs": 0, "cacheScope": "private", **extra}
    elif method == "initialize":
        result = {"protocolVersion": params.get("protocolVersion"), "capabilities": {"tools": {}}, "serverInfo": SERVER}
    else:
        return answer(dump({"jsonrpc": "2.0", "id": ident, "error": {"code": -32601, "message": "unknown method"}}))
    return answer(dump({"jsonrpc": "2.0", "id": ident, "result": result}))


class Connection(asyncio.Protocol):
    """One keep-alive connection. `seen` counts the bodies of all connections, by path."""

    seen: dict[bytes, int] = {}
    ids: int | None = None
    """Where the ids of requests are written as they come, one a line."""

    stamped = False
    """Whether events carry their number and when they were sent, for measurements of order and lateness."""

    def __init__(self, *, events: int, gap: float, delay: float) -> None:
        self.events, self.gap, self.delay = events, gap, delay
        self.buffer = b""
        self.busy = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while not self.busy and (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            length = LENGTH.search(head)
            need = end + 4 + (int(length.group(1)) if length else 0)
            if len(self.buffer) < need:
                return
            body, self.buffer = self.buffer[end + 4 : need], self.buffer[need:]
            self.handle(head, body)

    def handle(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1].partition(b"?")[0]
        if path.endswith(b"/count"):
            return self.reply(answer(dump({key.decode(): count for key, count in self.seen.items()})), head)
        self.seen[path] = self.seen.get(path, 0) + 1
        if self.ids is not None and (found := REQUEST_ID.search(head)):
            os.write(self.ids, found.group(1) + b"\n")
        if path.endswith(b"/chat/completions"):
            if STREAMED.search(body):
                self.busy = True
                asyncio.get_running_loop().create_task(self.stream(usage=WITH_USAGE.search(body) is not None))
                return None
            if self.delay:
                self.busy = True
                asyncio.get_running_loop().call_later(self.delay, self.late, head)
                return None
            return self.reply(CHAT, head)
        if path.startswith(b"/mcp") and head.startswith(b"POST"):
            return self.reply(rpc(body), head)
        return self.reply(answer(b'{"error":{"message":"not found"}}', b"404 Not Found"), head)

    def late(self, head: bytes) -> None:
        self.busy = False
        self.reply(CHAT, head)
        self.data_received(b"")

    def reply(self, data: bytes, head: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)
            if CLOSE.search(head):
                self.transport.close()

    async def stream(self, *, usage: bool) -> None:
        first, middle, last = PARTS[usage]
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.write(EVENT_STREAM + first)
        for number in range(self.events):
            if self.gap:
                await asyncio.sleep(max(0.0, begun + (number + 1) * self.gap - loop.time()))
            self.write(delta({"content": f" {number} {time.perf_counter():.6f}"}, usage=usage) if self.stamped else middle)
        self.write(last)
        self.busy = False
        self.data_received(b"")

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--events", type=int, default=50, help="events of a stream")
    parser.add_argument("--gap", type=float, default=0.0, help="seconds between two events of a stream")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before a whole answer")
    parser.add_argument("--stamped", action="store_true", help="events carry their number and when they were sent")
    parser.add_argument("--ids", help="file to write the request ids to")
    options = parser.parse_args()
    if options.ids:
        Connection.ids = os.open(options.ids, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    Connection.stamped = options.stamped
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(
        lambda: Connection(events=options.events, gap=options.gap, delay=options.delay), "127.0.0.1", options.port, backlog=2048
    )
    print(f"fake upstream on 127.0.0.1:{options.port}", flush=True)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())

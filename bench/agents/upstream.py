"""The providers, played: one lane for each run, at `/<lane>/…`, that answers as its provider would and notes what is wrong
with what it is asked.

A lane's model works through its task one step an answer. Each request must hold the whole conversation so far, as it was
said; after the last step the model says DONE with the lane's name and calls nothing more.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench.agents.targets import Target
from bench.agents.turns import Call, Turn, Used, faults
from bench.agents.wires import responses
from bench.agents.work import Task

PIECE = 611
"""Bytes in one write: events and characters are cut anywhere."""


class Lane:
    """One conversation. `found` are the faults, `used` what was told as used, `answers` how many answers."""

    def __init__(self, name: str, target: Target, task: Task, steps: int) -> None:
        self.name, self.wire, self.task, self.steps = name, target.wire, task, steps
        self._target = target
        self._turns: list[Turn] = []
        self._lock = threading.Lock()
        self.found: list[str] = []
        self.used = Used()
        self.answers = 0

    @property
    def done(self) -> int:
        """Steps that were taken and came back."""
        return min(len(self._turns), self.steps) if self.answers > self.steps else max(0, len(self._turns) - 1)

    @property
    def last_words(self) -> str:
        return f"DONE {self.name}"

    def answer(self, path: str, body: Any) -> Iterator[bytes]:
        with self._lock:
            if path.endswith("/responses"):
                self.wire = responses  # many who copied OpenAI's chat have copied this too
            asked = self.wire.read(body)
            self.answers += 1
            if not asked.tools:
                turn = Turn("", "", "A title", used=self._count(900 + self.answers))
            else:
                self.found += [f"{fault}" for fault in faults(self._turns, asked, flags=self.wire.FLAGS)]
                turn = self._next(asked.tools)
                self._turns.append(turn)
            self.used += turn.used
            return self.wire.stream(turn, self.answers, self._target.model)  # type: ignore[no-any-return]

    def _next(self, offered: tuple[str, ...]) -> Turn:
        number = len(self._turns)
        proof = self.wire.proof(number) if self._target.thinks else ""
        thought = f"Thought {number}: „ä“ \\ and 'so' on." if self._target.thinks else ""
        if number >= self.steps:
            if number > self.steps:
                self.found.append("it was asked on after the end")
            return Turn("", "", self.last_words, used=self._count(number))
        planned = self.task.step(number)
        names = [next((name for name in offered if name in (one.name, f"functions__{one.name}")), "") for one in planned]
        self.found += [f"step {number}: {one.name} is not on offer" for one, name in zip(planned, names, strict=True) if not name]
        calls = tuple(
            Call(
                self.wire.call_id(number, place),
                name,
                {"input": one.arguments} if isinstance(one.arguments, str) and not self.wire.CUSTOMS else one.arguments,
            )
            for place, (one, name) in enumerate(zip(planned, names, strict=True))
        )
        said = f"Step {number}: „schön“ 你好." if number % 2 else ""
        return Turn(thought, proof, said, calls, tuple(one.expected for one in planned), self._count(number))

    def _count(self, number: int) -> Used:
        """Different at every step, so that a count that is lost or told twice shows in the sums."""
        written = 31 + number if self.wire.CACHES else 0
        return Used(1009 + 7 * number, 503 + number, written, 41 + 3 * number, 0 if self.wire.CACHES else 11 + number)


class Upstream:
    """`with Upstream(port) as upstream:` — answers until the end of the block. Lanes may be added meanwhile."""

    def __init__(self, port: int) -> None:
        self.lanes: dict[str, Lane] = {}
        lanes = self.lanes

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Says nothing."""

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                _, name, path = self.path.split("/", 2)
                lane = lanes[name]
                if "count" in path:
                    return self._whole({"input_tokens": 4321, "totalTokens": 4321, "object": "response.input_tokens"})
                if not any(word in path for word in ("messages", "responses", "chat", "stream")) or not streamed(path, body):
                    lane.found.append(f"it was asked for {path} without a stream")
                    return self._whole({"error": {"message": "only streams here"}}, 400)
                data = b"".join(lane.answer(path, body))
                return self._told(lane.wire.CONTENT_TYPE, data)

            def _whole(self, value: Any, status: int = 200) -> None:
                data = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _told(self, content_type: str, data: bytes) -> None:
                self.send_response(200)
                self.send_header("content-type", content_type)
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for start in range(0, len(data), PIECE):
                    piece = data[start : start + PIECE]
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True

    def __enter__(self) -> Upstream:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def streamed(path: str, body: Any) -> bool:
    return "stream" in path or bool(body.get("stream"))

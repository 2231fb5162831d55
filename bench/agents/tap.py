"""What the tool itself sees: between it and the house, every answer's status and what the house says it dropped."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP = frozenset({"connection", "transfer-encoding", "keep-alive", "host", "content-length"})


class Tap:
    """`with Tap(port) as tap:` — call `tap.url` instead. `requests` are model calls; `refused` says why, by status."""

    def __init__(self, port: int) -> None:
        self.requests = 0
        self.refused: list[str] = []
        self.dropped: Counter[str] = Counter()
        self.other: Counter[str] = Counter()
        tap = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Says nothing."""

            def do_GET(self) -> None:
                self._pass_on()

            def do_HEAD(self) -> None:
                self._pass_on()

            def do_POST(self) -> None:
                self._pass_on()

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                there = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
                there.request(self.command, self.path, body or None, headers)
                answer = there.getresponse()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("connection", "close")
                self.end_headers()
                told = b""
                while piece := answer.read1(65536):
                    self.wfile.write(piece)
                    told = told if len(told) > 600 else told + piece
                self.close_connection = True
                there.close()
                tap.note(f"{self.command} {self.path}", answer, told)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def note(self, call: str, answer: http.client.HTTPResponse, told: bytes) -> None:
        if not call.startswith("POST /v1/"):
            self.other[f"{call} {answer.status}"] += 1
            return
        self.requests += 1
        for name in (answer.getheader("x-customhouse-dropped") or "").split(", "):
            if name:
                self.dropped[name] += 1
        if answer.status >= 400:
            self.refused.append(f"{answer.status} {call}: {told[:500].decode(errors='replace')}")

    def __enter__(self) -> Tap:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

"""The hardened Daphne against real sockets, in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEBIBYTE = 1 << 20


class Served:
    """A running server and what it noted."""

    def __init__(self, notes: Path, *arguments: str) -> None:
        self.notes = notes
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "platform")))}
        program = str(Path(__file__).with_name("served_probe.py"))
        self.process = subprocess.Popen([sys.executable, program, str(notes), *arguments], stdout=subprocess.PIPE, text=True, env=environ)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def connect(self, *, receive_buffer: int | None = None) -> socket.socket:
        client = socket.socket()
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(20)
        client.connect(("127.0.0.1", self.port))
        return client

    def note(self, name: str) -> str | None:
        path = self.notes / name
        return path.read_text() if path.exists() else None

    def rss(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def wait_for(condition: Callable[[], object], *, within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def read_all(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def request(path: str, *headers: str, host: str = "localhost") -> bytes:
    return "\r\n".join((f"GET {path} HTTP/1.1", f"Host: {host}", *headers, "", "")).encode()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    server = Served(tmp_path)
    yield server
    server.end()


def _settled_count(served: Served, name: str) -> int:
    """The noted count once it no longer grows for half a second."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 0.5:
        count = int(served.note(name) or -1)
        if count != last:
            last, since = count, time.monotonic()
        time.sleep(0.02)
    return last


def test_a_client_that_does_not_read_holds_the_application_back_and_costs_little_memory(served: Served) -> None:
    before = served.rss()
    with served.connect(receive_buffer=4096) as client:
        client.sendall(request("/flood"))
        wait_for(lambda: served.note("chunks"))
        produced = _settled_count(served, "chunks")
        assert 0 < produced < 200  # of 4,000: what the kernel and one transport buffer hold
        assert served.rss() - before < 8 * MEBIBYTE


def test_a_client_that_reads_late_still_gets_every_byte(served: Served) -> None:
    with served.connect(receive_buffer=4096) as client:
        client.sendall(request("/flood", "Connection: close"))
        wait_for(lambda: served.note("chunks"))
        _settled_count(served, "chunks")
        received = 0
        while part := client.recv(1 << 20):
            received += len(part)
    assert received > 4000 * 65536


def test_a_websocket_client_that_does_not_read_holds_the_application_back(served: Served) -> None:
    handshake = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    with served.connect(receive_buffer=4096) as client:
        client.sendall(request("/ws", *handshake))
        wait_for(lambda: served.note("frames"))
        assert 0 < _settled_count(served, "frames") < 200


def test_sigterm_tells_sockets_to_come_back_and_does_not_wait_for_them(served: Served) -> None:
    handshake = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    with served.connect() as client:
        client.sendall(request("/ws/quiet", *handshake))
        assert client.recv(4096).startswith(b"HTTP/1.1 101 ")
        wait_for(lambda: served.note("accepted"))
        served.process.send_signal(signal.SIGTERM)
        assert client.recv(4096)[:4] == b"\x88\x02" + (1012).to_bytes(2, "big")
    assert served.process.wait(timeout=10) == 0


def test_a_client_that_never_reads_is_cut_off_in_the_end(tmp_path: Path) -> None:
    served = Served(tmp_path, "STALLED_SECONDS=0.5")
    try:
        with served.connect(receive_buffer=4096) as client:
            client.sendall(request("/flood"))
            # Once it is cut, sends go nowhere and the application runs to its end at once.
            wait_for(lambda: served.note("chunks") == "3999")
            with pytest.raises(ConnectionResetError):
                read_all(client)
    finally:
        served.end()


def test_sigterm_lets_a_running_stream_end_and_takes_no_new_connection(served: Served) -> None:
    with served.connect() as client:
        client.sendall(request("/stream", "Connection: close"))
        first = client.recv(4096)
        assert first.startswith(b"HTTP/1.1 200")
        served.process.send_signal(signal.SIGTERM)
        wait_for(lambda: served.note("draining"))
        wait_for(lambda: _refused(served))
        assert b"event 29\n" in first + read_all(client)
    assert served.process.wait(timeout=10) == 0
    assert served.note("stopped") == "yes"


def _refused(served: Served) -> bool:
    try:
        socket.create_connection(("127.0.0.1", served.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_kept_connection_is_answered_and_closed_while_draining(served: Served) -> None:
    with served.connect() as kept, served.connect() as streaming:
        kept.sendall(request("/echo"))
        assert b"200 OK" in kept.recv(4096)
        streaming.sendall(request("/stream", "Connection: close"))
        streaming.recv(4096)
        served.process.send_signal(signal.SIGTERM)
        wait_for(lambda: served.note("draining"))
        kept.sendall(request("/echo"))
        answer = read_all(kept).lower()
        assert answer.startswith(b"http/1.1 200 ok")
        assert b"connection: close" in answer


def test_a_disconnect_reaches_the_application(served: Served) -> None:
    with served.connect() as client:
        client.sendall(request("/hold"))
        wait_for(lambda: served.note("held"))
        assert served.note("disconnected") is None
    wait_for(lambda: served.note("disconnected"))


def test_a_head_that_does_not_end_is_closed_within_ten_seconds(served: Served) -> None:
    started = time.monotonic()
    with served.connect() as client:
        client.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert 9 < time.monotonic() - started < 12


def test_a_body_that_trickles_is_closed_and_one_that_flows_is_not(tmp_path: Path) -> None:
    served = Served(tmp_path, "BODY_GRACE_SECONDS=0.6", "BODY_CHECK_SECONDS=0.2", "BODY_BYTES_PER_SECOND=50000")
    head = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n"
    try:
        with served.connect() as slow:
            slow.sendall(head + b"x" * 100)
            assert read_all(slow).startswith(b"HTTP/1.1 408 ")
        with served.connect() as flowing:
            flowing.sendall(head)
            started = time.monotonic()
            for _ in range(10):
                flowing.sendall(b"x" * 100_000)
                while time.monotonic() - started < 0.1:
                    time.sleep(0.01)
                started = time.monotonic()
            assert read_all(flowing).startswith(b"HTTP/1.1 200 ")
    finally:
        served.end()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /echo HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /echo HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 10_000) for n in range(5)) + b"\r\n", 431),
        (b"GET /echo HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(10_000)) + b"\r\n", 431),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 431),
        (b"GET /echo HTTP/1.1\r\nHost: h\r\nX-Folded: a\r\n b\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: cow\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\r\nHost : h\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", 413),
    ],
    ids=[
        "long header", "large head", "many headers", "long path", "folded header", "two framings", "two lengths", "signed length",
        "unknown coding", "space before colon", "NUL in a value", "huge body",
    ],
)  # fmt: skip
def test_a_bad_head_is_refused_at_once(served: Served, head: bytes, status: int) -> None:
    with served.connect() as client:
        client.sendall(head)
        assert read_all(client).startswith(b"HTTP/1.1 %d " % status)


def test_a_chunked_body_past_the_bound_is_refused_while_it_comes(served: Served) -> None:
    with served.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"100000\r\n" + b"x" * MEBIBYTE + b"\r\n"
        try:
            for _ in range(64):
                client.sendall(piece)
        except OSError:
            pass
        else:
            raise AssertionError("64 MiB were taken")
    with served.connect() as client:
        client.sendall(request("/echo", "Connection: close"))
        assert b"200 OK" in read_all(client)


def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    with served.connect() as client:
        client.sendall(request("/echo") + request("/stream") + request("/echo", "Connection: close"))
        answer = read_all(client)
    assert answer.count(b"200 OK") == 3
    assert b"event 29" in answer

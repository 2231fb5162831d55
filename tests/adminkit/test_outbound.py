"""The guarded client against a real listener: what may not be called is never reached, what may be is read within bounds."""

# ruff: noqa: RUF001  characters that look like others are the point of this corpus

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from adminkit import outbound
from dataplane.addresses import AddressRefused

MIB = 1024 * 1024


class Listener(ThreadingHTTPServer):
    """Answers what `answer` says for a path and remembers every connection and request it ever got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.connections = 0
        self.seen: list[tuple[str, str]] = []
        self.answers: dict[str, tuple[int, dict[str, str], list[bytes]]] = {}

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Listener
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers["Host"]))
        status, headers, chunks = self.server.answers.get(self.path, (200, {}, [b"hello"]))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for chunk in chunks:
                self.wfile.write(chunk)
        except OSError:
            self.close_connection = True  # the client had enough

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, list[list[str]]]], list[str]]:
    """Replaces name resolution. A name has a list of answers, one per question; the last one is repeated."""
    real = socket.getaddrinfo

    def install(names: dict[str, list[list[str]]]) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if name not in names:
                return real(host, port, *args, **kwargs)
            answers = names[name]
            answer = answers[min(asked.count(name), len(answers) - 1)]
            asked.append(name)
            return [entry for address in answer for entry in real(address, port, type=socket.SOCK_STREAM)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return install


def spellings(port: int) -> list[str]:
    """Ways to write this machine, a neighbour or a metadata service, most of which some parser or resolver accepts."""
    hosts = """
        127.0.0.1 127.0.0.2 127.255.255.254 127.1 127.0.1 0.0.0.0 0 2130706433 0x7f000001 0x7f.0.0.1 0x7f.1 0177.0.0.1 017700000001
        0177.0.0.01 127.0.0.1. 127.000.000.001 00000177.0.0.1 1.0.0.127.in-addr.arpa@127.0.0.1 localhost LOCALHOST localhost. LocalHost.
        10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254 169.254.170.2 100.64.0.1 100.100.100.200
        168.63.129.16 192.0.0.192 198.18.0.1 192.0.2.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
        192.88.99.1 2852039166 0xa9fea9fe 0251.0376.0251.0376 169.254.43518 [::1] [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1]
        [::ffff:7f00:1] [::127.0.0.1] [::ffff:169.254.169.254] [64:ff9b::7f00:1] [64:ff9b::169.254.169.254] [64:ff9b:1::1]
        [2002:7f00:1::] [2002:a9fe:a9fe::] [2001:0:7f00:1::] [fe80::1] [fe80::1%25lo] [fe80::1%lo] [fec0::1] [fc00::1] [fd00:ec2::254]
        [ff02::1] [2001:db8::1] [3fff::1] [100::1] [::1%25lo] [::1]x [[::1]] [::1 ::1 ::1] [127.0.0.1] 127.0.0.1%00 127.0.0.1%2f
        user@127.0.0.1 user:pass@127.0.0.1 good.example@127.0.0.1 good.example:80@127.0.0.1 127.0.0.1\\@good.example
        127.0.0.1\\good.example good.example\\.127.0.0.1 ①②⑦.⓪.⓪.① １２７.０.０.１ 127。0。0。1 ⓛⓞⓒⓐⓛⓗⓞⓢⓣ
        ｌocalhost loc%61lhost %6c%6f%63alhost 0x7f.0x0.0x0.0x1 0X7F.0.0.1 127.0x0.0.1 1e1.0.0.1
        256.0.0.1 127.0.0.256 4294967297 -1 127.0.0.1-x.1 a.b.1 a.0x1 999999999999 1.2.3 1.2.3.4.5 .. . a..b -a.example
    """
    return [f"http://{host}:{port}/" for host in hosts.split()] + [
        *(f"http://{control}127.0.0.1{control}:{port}/" for control in "\t\n\r\v\f\0 \x7f\u00a0\u2028"),
        f"//127.0.0.1:{port}/",
        f"http:127.0.0.1:{port}/",
        f"http:///127.0.0.1:{port}/",
        f"http:/\\127.0.0.1:{port}/",
        f"http:\\\\127.0.0.1:{port}/",
        f"HTTP://127.0.0.1:{port}/",
        f"ftp://127.0.0.1:{port}/",
        f"file:///etc/passwd?{port}",
        f"gopher://127.0.0.1:{port}/_x",
        f"dict://127.0.0.1:{port}/",
        f"ldap://127.0.0.1:{port}/",
        f"jar:http://127.0.0.1:{port}/!/",
        f"http://127.0.0.1:{port}:80/",
        f"http://127.0.0.1:0{port}/",
        f"http://127.0.0.1 :{port}/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:-1/",
        "http://127.0.0.1:٣/",
        "http://",
        "http://:80/",
        "",
    ]


def test_no_spelling_of_a_forbidden_address_is_ever_reached(listener: Listener, dns: Any) -> None:
    dns({"localhost.": [["127.0.0.1"]]})
    urls = spellings(listener.port)
    assert len(urls) > 120
    with outbound.client(timeout=0.5) as client:
        for url in urls:
            with pytest.raises((AddressRefused, httpx.InvalidURL, httpx.UnsupportedProtocol)):
                client.get(url)
    assert listener.connections == 0


async def test_no_spelling_is_reached_asynchronously_either(listener: Listener, dns: Any) -> None:
    dns({"localhost.": [["127.0.0.1"]]})
    async with outbound.async_client(timeout=0.5) as client:
        for url in spellings(listener.port):
            with pytest.raises((AddressRefused, httpx.InvalidURL, httpx.UnsupportedProtocol)):
                await client.get(url)
    assert listener.connections == 0


def test_a_private_address_is_called_when_an_admin_allowed_it_and_metadata_is_not_even_then(listener: Listener) -> None:
    with outbound.client(allow_private=True, timeout=2) as client:
        assert client.get(f"http://127.0.0.1:{listener.port}/").text == "hello"
        for url in ("http://169.254.169.254/latest/", "http://100.100.100.200/", "http://[fd00:ec2::254]/", "http://0.0.0.0/"):
            with pytest.raises(outbound.OutboundRefused, match="may not be called"):
                client.get(url)


def test_one_forbidden_answer_among_good_ones_refuses_the_name(listener: Listener, dns: Any) -> None:
    dns({"mixed.example": [["93.184.216.34", "127.0.0.1"]]})
    with outbound.client() as client, pytest.raises(AddressRefused, match=r"mixed\.example resolves to 127\.0\.0\.1"):
        client.get(f"http://mixed.example:{listener.port}/")
    assert listener.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_a_name_that_points_inside_is_refused(dns: Any, address: str) -> None:
    dns({"inside.example": [[address]]})
    with outbound.client() as client, pytest.raises(outbound.OutboundRefused):
        client.get("http://inside.example/")


def test_a_name_is_resolved_once_so_that_its_second_answer_is_never_used(
    listener: Listener, dns: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebinding name answers well when it is checked and badly when it is connected to."""
    asked = dns({"flip.example": [["203.0.114.7"], ["127.0.0.1"]]})
    dialled: list[str] = []

    def connect(address: tuple[str, int], *args: Any, **kwargs: Any) -> Any:
        dialled.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with outbound.client() as client, pytest.raises(httpx.ConnectError):
        client.get(f"http://flip.example:{listener.port}/")
    assert asked == ["flip.example"]
    assert dialled == ["203.0.114.7"]
    assert listener.connections == 0


def test_every_new_connection_is_checked_anew(listener: Listener, dns: Any) -> None:
    dns({"flip.example": [["127.0.0.1"], ["169.254.169.254"]]})
    with outbound.client(allow_private=True) as client:
        assert client.get(f"http://flip.example:{listener.port}/").status_code == 200
        with pytest.raises(outbound.OutboundRefused):
            client.get(f"http://flip.example:{listener.port}/")
    assert len(listener.seen) == 1


async def test_dns_flips_are_caught_asynchronously(listener: Listener, dns: Any) -> None:
    dns({"flip.example": [["127.0.0.1"], ["169.254.169.254"]]})
    async with outbound.async_client(allow_private=True) as client:
        assert (await client.get(f"http://flip.example:{listener.port}/")).text == "hello"
        with pytest.raises(outbound.OutboundRefused):
            await client.get(f"http://flip.example:{listener.port}/")
    assert len(listener.seen) == 1


def test_the_host_header_keeps_the_name_and_can_not_be_another(listener: Listener, dns: Any) -> None:
    dns({"named.example": [["127.0.0.1"]]})
    with outbound.client(allow_private=True) as client:
        client.get(f"http://named.example:{listener.port}/a")
        with pytest.raises(outbound.OutboundRefused, match="Host header"):
            client.get(f"http://named.example:{listener.port}/b", headers={"host": "other.example"})
    assert listener.seen == [("/a", f"named.example:{listener.port}")]


def test_the_next_address_is_tried_when_one_does_not_answer(listener: Listener, dns: Any) -> None:
    dns({"two.example": [["127.0.0.9", "127.0.0.1"]]})
    with outbound.client(allow_private=True) as client:
        assert client.get(f"http://two.example:{listener.port}/").text == "hello"


def test_a_redirect_is_handed_back_and_a_followed_one_is_checked_again(listener: Listener, dns: Any) -> None:
    dns({"public.example": [["127.0.0.1"]]})
    listener.answers["/go"] = (302, {"Location": "http://169.254.169.254/secret"}, [])
    with outbound.client(allow_private=True) as client:
        url = f"http://public.example:{listener.port}/go"
        assert client.get(url).status_code == 302
        with pytest.raises(outbound.OutboundRefused):
            client.get(url, follow_redirects=True)


def test_the_environments_proxy_is_not_used(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
    with outbound.client() as client, pytest.raises(outbound.OutboundRefused):
        client.get("http://127.0.0.1:9/")
    assert listener.connections == 0


def test_a_body_is_read_up_to_the_bound_and_not_beyond(listener: Listener) -> None:
    listener.answers["/fits"] = (200, {}, [b"x" * MIB])
    listener.answers["/long"] = (200, {}, [b"x" * MIB] * 3)
    with outbound.client(allow_private=True, max_body=MIB) as client:
        assert len(client.get(f"http://127.0.0.1:{listener.port}/fits").content) == MIB
        with pytest.raises(outbound.AnswerTooLarge, match="1,048,576"):
            client.get(f"http://127.0.0.1:{listener.port}/long")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_is_counted_as_it_unfolds(listener: Listener, encoding: str) -> None:
    def compress(data: bytes) -> bytes:
        return gzip.compress(data) if encoding == "gzip" else zlib.compress(data)

    listener.answers["/small"] = (200, {"Content-Encoding": encoding}, [compress(b"small" * 1000)])
    listener.answers["/bomb"] = (200, {"Content-Encoding": encoding}, [compress(b"\0" * 64 * MIB)])
    with outbound.client(allow_private=True, max_body=MIB) as client:
        answer = client.get(f"http://127.0.0.1:{listener.port}/small")
        assert answer.content == b"small" * 1000
        assert "content-encoding" not in answer.headers
        with pytest.raises(outbound.AnswerTooLarge):
            client.get(f"http://127.0.0.1:{listener.port}/bomb")


async def test_a_bomb_is_refused_asynchronously(listener: Listener) -> None:
    listener.answers["/bomb"] = (200, {"Content-Encoding": "gzip"}, [gzip.compress(b"\0" * 64 * MIB)])
    async with outbound.async_client(allow_private=True, max_body=MIB) as client:
        with pytest.raises(outbound.AnswerTooLarge):
            await client.get(f"http://127.0.0.1:{listener.port}/bomb")


@pytest.mark.parametrize(("encoding", "body"), [("br", b"abc"), ("gzip, gzip", b"abc"), ("gzip", b"not gzip at all")])
def test_an_encoding_that_was_not_asked_for_or_is_broken_is_an_error(listener: Listener, encoding: str, body: bytes) -> None:
    listener.answers["/odd"] = (200, {"Content-Encoding": encoding}, [body])
    with outbound.client(allow_private=True) as client, pytest.raises(httpx.DecodingError):
        client.get(f"http://127.0.0.1:{listener.port}/odd")


def test_an_answer_that_never_ends_is_cut_when_its_time_is_up(listener: Listener) -> None:
    listener.answers["/drip"] = (200, {}, [b"x" * 1000] * 2000)
    with outbound.client(allow_private=True, total_seconds=0.0) as client, pytest.raises(httpx.ReadTimeout):
        client.get(f"http://127.0.0.1:{listener.port}/drip")

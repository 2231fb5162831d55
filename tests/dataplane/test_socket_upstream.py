"""Which address a WebSocket goes to, whose certificate is taken, and what comes of upstreams that answer otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.server import ServerConnection, serve

from dataplane import socket_upstream
from dataplane.resolving import Lost, Refused, TimedOut
from dataplane.socket_upstream import Declined, Ended, Socket, open_socket
from tests.fakes.serving import refusing, unanswering


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        if not addresses:
            raise socket.gaierror("no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@contextlib.asynccontextmanager
async def echoing(host: str = "localhost", tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async with serve(echo, "127.0.0.1", 0, ssl=tls) as server:
        yield f"http{'s' if tls else ''}://{host}:{next(iter(server.sockets)).getsockname()[1]}/v1"


async def opened(url: str, **more: Any) -> Socket:
    settings: dict[str, Any] = {"headers": [("authorization", "Bearer x")], "allow_private": True, "timeouts": (5.0, 5.0), **more}
    return await open_socket(url, "/realtime?model=m", **settings)


async def test_text_and_bytes_go_and_come_as_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    async with echoing() as url:
        resolving(monkeypatch, "127.0.0.1")
        place = await opened(url)
        for message in ("text ü", b"\x00\xff"):
            await place.send(message)
            assert await place.receive() == message
        await place.close()
        with pytest.raises(Lost):
            await place.send("late")


async def test_the_next_address_is_called_when_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    async with echoing() as url:
        resolving(monkeypatch, "127.0.0.9", "127.0.0.1")
        await (await opened(url)).close()


@pytest.mark.parametrize(
    ("addresses", "private"),
    [(("127.0.0.1",), False), (("127.0.0.1", "169.254.169.254"), True), (("169.254.169.254",), True)],
    ids=["private", "mixed", "metadata"],
)
async def test_no_byte_goes_where_none_may(addresses: tuple[str, ...], private: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async with echoing() as url:
        resolving(monkeypatch, *addresses)
        with pytest.raises(Refused):
            await opened(url, allow_private=private)


async def test_a_name_that_does_not_resolve_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch)
    with pytest.raises(Lost) as told:
        await opened("http://nowhere.example/v1")
    assert told.value.sent is False


async def test_nobody_at_the_address_is_lost_and_nothing_was_sent() -> None:
    with refusing() as url, pytest.raises(Lost) as told:
        await opened(url)
    assert told.value.sent is False


async def test_connecting_and_shaking_hands_have_their_time() -> None:
    with unanswering() as url, pytest.raises(Lost):
        await opened(url, timeouts=(0.1, 5.0))
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        left.set()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TimedOut):
            await opened(f"http://127.0.0.1:{port}", timeouts=(5.0, 0.1))
        await asyncio.wait_for(left.wait(), 5)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-nonsense\r\n\r\n"]
)
async def test_an_answer_that_is_no_handshake_opens_nothing(answer: bytes) -> None:
    asked = 0

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(once, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Declined if answer.startswith(b"HTTP") else Lost):
            await opened(f"http://127.0.0.1:{port}")
    assert asked == 1


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with echoing("127.0.0.1") as url:
        await (await opened(url)).close()


async def test_an_upstream_that_closes_says_why() -> None:
    async def closing(connection: ServerConnection) -> None:
        await connection.close(4321, "enough")

    async with serve(closing, "127.0.0.1", 0) as server:
        place = await opened(f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}")
        with pytest.raises(Ended) as told:
            await place.receive()
    assert (told.value.code, told.value.reason) == (4321, "enough")


def certified(folder: Path, *, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for `name`, and a client's that trusts who signed it: itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    plain = serialization.NoEncryption()
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


@pytest.mark.parametrize("host", ["provider.example", "other.example"])
async def test_tls_is_held_to_the_name_and_not_to_the_address(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = certified(tmp_path, name="provider.example")
    monkeypatch.setattr(socket_upstream, "_tls", lambda: client)
    async with echoing(host, tls=server) as url:
        resolving(monkeypatch, "127.0.0.1")
        if host == "other.example":
            with pytest.raises(Lost):
                await opened(url)
            return
        place = await opened(url)
        await place.send("hello")
        assert await place.receive() == "hello"
        await place.close()

"""A house in a process of its own, under the servers that run it in production.

    python -m tests.fakes.served_house SERVER PORT HOME PROVIDER_URL

serves what `standard` lays out with the calls going to the provider at PROVIDER_URL, and prints one line of JSON when
it answers. `apart` starts and stops that from a test.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fakes.house import House

ROOT = Path(__file__).resolve().parents[2]
STOP_LIMIT = 20.0


@dataclass(frozen=True)
class Apart:
    """A house that runs elsewhere."""

    url: str
    key: str
    home: Path
    pid: int


@contextlib.contextmanager
def apart(server: str, home: Path, provider_url: str) -> Iterator[Apart]:
    """Starts a house under `server` (granian or daphne) and stops it by its own pid."""
    command = [sys.executable, "-m", "tests.fakes.served_house", server, str(free_port()), str(home), provider_url]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")])}
    with (
        (home / "stderr.log").open("w+") as log,
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the house did not start: {(home / 'stderr.log').read_text()}")
            told = json.loads(line)
            yield Apart(url=told["url"], key=told["key"], home=home, pid=process.pid)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(server: str, port: int, home: Path, provider_url: str) -> None:
    if server == "daphne":
        import config.daphne  # noqa: F401 - installs the reactor, before anything else of Twisted is imported

    from llmgateway.proxy.app import routes as llm_routes
    from llmgateway.proxy.realtime.app import routes as realtime_routes
    from tests.fakes.house import House, standard

    house = House(home, routes=[llm_routes(), realtime_routes()])
    standard(house.contents, house.team, provider_url)
    house.publish()
    told = json.dumps({"url": f"http://127.0.0.1:{port}", "key": house.key})
    if server == "daphne":
        serve_daphne(house, port, told)
    else:
        asyncio.run(serve_granian(house, port, told))


async def serve_granian(house: House, port: int, told: str) -> None:
    """As config.server does, but for the processes: embedded, in this one."""
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    from config.server import HEADER_MILLISECONDS
    from config.stopping import drain_first

    server = Server(
        house.app,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=64 * 1024),
        log_enabled=False,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, server.stop)
    drain_first(house.kit, seconds=STOP_LIMIT)
    announcing = asyncio.create_task(announce(port, told))
    await server.serve()
    await announcing


def serve_daphne(house: House, port: int, told: str) -> None:
    from twisted.internet import reactor

    from config.daphne import HouseServer
    from config.lifespan import Lifespan

    lifespan = Lifespan(house.app)

    async def drain() -> None:
        house.kit.draining = True

    server = HouseServer(
        house.app,
        host="127.0.0.1",
        port=port,
        drain_seconds=5,
        trust_proxy=False,
        on_start=lifespan.start,
        on_drain=drain,
        on_stop=lifespan.stop,
        drains=lambda path: path.startswith("/v1/"),
    )
    announcing: list[asyncio.Future[None]] = []
    reactor.callWhenRunning(lambda: announcing.append(asyncio.ensure_future(announce(port, told))))
    server.run()


async def announce(port: int, told: str) -> None:
    """Says where the house is as soon as something accepts there."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        print(told, flush=True)
        return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])

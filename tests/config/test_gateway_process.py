"""The data plane alone, as `python -m config.server gateway` serves it: without Django, and with nobody to ask."""

from __future__ import annotations

import base64
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from dataplane.store import Store
from tests.config.houses import ROOTS, Process, environ, free_port, wait_for
from tests.fakes import answers
from tests.fakes.contents import PEPPER, SEAL_KEY, Contents
from tests.fakes.provider import Provider, said, streamed
from tests.fakes.serving import serving

# Every import of these in the process, by whomever, is written down and refused.
TRAP = """
import os, sys

class Trap:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"django", "rest_framework", "guardian", "celery", "channels"}:
            with open(os.environ["TRAP"], "a") as file:
                file.write(name + "\\n")
            raise ImportError("the data plane imports no " + name)

sys.meta_path.insert(0, Trap())
"""


SEAL = base64.b64encode(SEAL_KEY).decode()


class Alone:
    """A gateway process whose Redis does not answer, over a snapshot left on disk by an earlier one."""

    def __init__(self, home: Path, provider: Provider, provider_url: str, *, server: str) -> None:
        self.provider = provider
        self.trap = home / "trapped"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = _leave_snapshot(home, provider_url)
        site = home / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(TRAP)
        env = environ(
            CUSTOMHOUSE_HOME=str(home), CUSTOMHOUSE_SERVER=server, CUSTOMHOUSE_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
            CUSTOMHOUSE_SECRET_KEY="k" * 40, CUSTOMHOUSE_KEY_PEPPER=PEPPER.decode(), CUSTOMHOUSE_SEAL_KEY=SEAL,
            PORT=str(self.port), TRAP=str(self.trap), PYTHONPATH=os.pathsep.join((str(site), ROOTS)),
        )  # fmt: skip
        if server == "daphne":
            # Daphne's own package imports Django where it is installed; nothing of ours does.
            env.pop("TRAP")
            env["PYTHONPATH"] = ROOTS
        self.process = Process("gateway", [sys.executable, "-m", "config.server", "gateway"], env, home / "gateway.log")
        wait_for(lambda: not self.process.running or _listens(self.port), within=30, what="the gateway")
        assert self.process.running, self.process.output()

    @property
    def sdk(self) -> OpenAI:
        return OpenAI(api_key=self.key, base_url=f"{self.url}/v1", max_retries=0)


def _leave_snapshot(home: Path, provider_url: str) -> str:
    contents = Contents()
    team = contents.team("desk")
    key = contents.key("desk-key", team=team)
    contents.provider("openai", f"{provider_url}/v1")
    contents.grant(f"team:{team}", contents.model("gpt", contents.deployment("openai", "gpt-real")))
    store = Store(path=home / "snapshot.msgpack")
    store.apply(contents.sections())
    store.save()
    return key


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module", params=["granian", "daphne"])
def alone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    provider = Provider()
    with serving(provider) as url:
        gateway = Alone(tmp_path_factory.mktemp(request.param), provider, url, server=request.param)
        yield gateway
        gateway.process.kill()


def test_calls_are_served_from_the_last_good_copy_with_nobody_to_ask(alone: Alone) -> None:
    alone.provider.then(said(answers.chat()))
    answer = alone.sdk.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "hi"}])
    assert answer.choices[0].message.content
    alone.provider.then(streamed(*answers.chat_pieces()))
    stream = alone.sdk.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "hi"}], stream=True)
    assert [chunk.choices[0].finish_reason for chunk in stream if chunk.choices][-1] == "stop"


def test_an_unknown_key_is_still_refused(alone: Alone) -> None:
    answer = httpx.get(f"{alone.url}/v1/models", headers={"authorization": "Bearer ch_00000000_wrong"}, trust_env=False)
    assert answer.status_code == 401


def test_it_says_that_it_is_ready(alone: Alone) -> None:
    answer = httpx.get(f"{alone.url}/readyz", trust_env=False)
    assert answer.status_code == 200
    assert answer.json()["snapshot"]["version"] == 1


def test_addresses_of_the_control_plane_are_nobodys_here(alone: Alone) -> None:
    for path in ("/", "/admin/", "/api/v1/", "/sandbox/openai/v1/models"):
        assert httpx.get(f"{alone.url}{path}", trust_env=False).status_code == 404


def test_a_head_that_does_not_end_is_closed(alone: Alone) -> None:
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", alone.port), timeout=30) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: h\r\nX-Slow: ")
        while client.recv(4096):
            pass
    assert time.monotonic() - started < 15


def test_no_request_and_no_start_has_touched_django(alone: Alone) -> None:
    assert not alone.trap.exists()


def test_what_was_used_meanwhile_waits_in_the_journal(alone: Alone) -> None:
    """Last in this file: it stops the gateway. Nothing could be shipped, so everything is still on disk."""
    assert alone.process.stop() == 0
    lines = b"".join(path.read_bytes() for path in (alone.process.log.parent / "journal").glob("*.log"))
    assert lines.count(b'"outcome":"ok"') == 2


def test_a_gateway_without_redis_refuses_to_start(tmp_path: Path) -> None:
    env = environ(CUSTOMHOUSE_HOME=str(tmp_path))
    process = Process("gateway", [sys.executable, "-m", "config.server", "gateway"], env, tmp_path / "log")
    assert process.ends() == 1
    assert "CUSTOMHOUSE_REDIS_URL: expected an address" in process.output()


def test_a_composed_house_without_secrets_refuses_to_start(tmp_path: Path) -> None:
    env = environ(CUSTOMHOUSE_HOME=str(tmp_path), CUSTOMHOUSE_REDIS_URL="redis://127.0.0.1:1/0")
    process = Process("gateway", [sys.executable, "-m", "config.server", "gateway"], env, tmp_path / "log")
    assert process.ends() == 1
    assert "CUSTOMHOUSE_KEY_PEPPER" in process.output()


def test_daphne_on_a_port_that_is_taken_says_so_and_ends(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = environ(
            CUSTOMHOUSE_HOME=str(tmp_path), CUSTOMHOUSE_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
            CUSTOMHOUSE_SECRET_KEY="k" * 40, CUSTOMHOUSE_KEY_PEPPER=PEPPER.decode(), CUSTOMHOUSE_SEAL_KEY=SEAL,
            PORT=str(taken.getsockname()[1]),
        )  # fmt: skip
        process = Process("gateway", [sys.executable, "-m", "config.server", "gateway"], env, tmp_path / "log")
        assert process.ends() == 1
    assert "Address already in use" in process.output()

"""A house with the agent gateway alone, an A2A agent behind it, and the a2a SDK's client in front."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types.a2a_pb2 import AgentCard
from google.protobuf.json_format import MessageToDict

from agentgateway.proxy.app import routes
from dataplane.snapshot import AgentRecord
from tests.fakes import agents
from tests.fakes.agents import Planner
from tests.fakes.house import House
from tests.fakes.recording import Recorder
from tests.fakes.serving import App, serving

UPSTREAM = "http://upstream.internal:9999/"

_ids = itertools.count(1000)


class AgentHouse(House):
    """`serve_agent` puts an agent on a socket and registers it under a slug."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, routes=[routes(public_url="http://house.example/")])

    def serve_agent(self, slug: str, app: App, **more: Any) -> str:
        """Returns the agent's address; it is granted to nobody yet."""
        url = self._stack.enter_context(serving(app)) + "/"
        self.register(slug, url, **more)
        return url

    def register(self, slug: str, url: str, *, card: Any = None, secret: str | None = None, **more: Any) -> None:
        number = next(_ids)
        if secret is not None:
            more["credential"] = self.contents.sealer.seal(secret, bound_to=f"registry.agent:{number}:credential")
        more.setdefault("allow_private_network", True)
        raw = card if isinstance(card, bytes) else json.dumps(card or MessageToDict(agents.card(UPSTREAM))).encode()
        self.contents.agents[slug] = AgentRecord(id=number, slug=slug, name=slug, url=url, card=raw, **more)
        self.publish()

    def grant(self, *resources: str, key: str | None = None) -> None:
        """To the house's team, or to the owner of `key` alone."""
        self.contents.grant(f"team:{self.team}" if key is None else self.contents.keys[key].principal.ref, *resources)
        self.publish()

    def mate(self, name: str = "mate") -> str:
        """The key of another principal of the same team."""
        key = self.contents.key(name, team=self.team)
        self.publish()
        return key

    def call(self, slug: str, method: Any, params: Any = None, *, key: str | None = None, **headers: str) -> httpx.Response:
        """One JSON-RPC request of A2A 1.0; `method` may be a whole body in bytes."""
        body = method
        if not isinstance(method, bytes):
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}).encode()
        fields = {"authorization": f"Bearer {key or self.key}", "a2a-version": "1.0", "content-type": "application/json"}
        fields |= {name.replace("_", "-"): text for name, text in headers.items()}
        return self.http.post(f"/a2a/{slug}", content=body, headers=fields)

    def send(self, text: str, *, key: str | None = None, stream: bool = False, **message: Any) -> httpx.Response:
        """One message to `planner`."""
        method = "SendStreamingMessage" if stream else "SendMessage"
        return self.call("planner", method, {"message": user_message(text, **message)}, key=key)

    @contextlib.asynccontextmanager
    async def sdk(self, slug: str = "planner", *, key: str | None = None, streaming: bool = True) -> AsyncIterator[Client]:
        """The a2a SDK's client, made from the card that the house serves."""
        transport = _ToHouse(self.url)
        headers = {"authorization": f"Bearer {key or self.key}"}
        async with httpx.AsyncClient(transport=transport, headers=headers, timeout=30, trust_env=False) as http:
            card: AgentCard = await A2ACardResolver(http, f"http://house.example/a2a/{slug}").get_agent_card()
            yield ClientFactory(ClientConfig(httpx_client=http, streaming=streaming)).create(card)


class _ToHouse(httpx.AsyncHTTPTransport):
    """Sends what is meant for the house's public name to its socket."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._target = httpx.URL(url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host == "house.example", request.url
        request.url = request.url.copy_with(scheme="http", host=self._target.host, port=self._target.port)
        return await super().handle_async_request(request)


def user_message(text: str, **more: Any) -> dict[str, Any]:
    return {"messageId": f"m-{next(_ids)}", "role": "ROLE_USER", "parts": [{"text": text}], **more}


def events(answer: httpx.Response) -> list[Any]:
    """The JSON of each event of a stream."""
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: ")]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[AgentHouse]:
    with AgentHouse(tmp_path) as opened:
        yield opened


@pytest.fixture
def executor() -> Planner:
    return Planner()


@pytest.fixture
def planner(house: AgentHouse, executor: Planner) -> Recorder:
    """A real agent as `planner`, granted to the team."""
    recorder = agents.agent(executor, url=UPSTREAM)
    house.serve_agent("planner", recorder)
    house.grant("agent:planner")
    return recorder

"""The tour's first calls, made the way its reader will make them: over HTTP, with the tour's key."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from adminkit import outbound
from config.tour.state import State
from dataplane.ids import new_id

LEDGER_SECONDS = 15.0
PUBLISHED_SECONDS = 10.0
MODERN = "2026-07-28"


class TourFailed(Exception):
    """A call of the tour did not come out as it should. The message says which and what came instead."""


@contextmanager
def caller(state: State, base_url: str) -> Iterator[httpx.Client]:
    with outbound.client(allow_private=True, headers={"authorization": f"Bearer {state.key}"}) as client:
        client.base_url = httpx.URL(base_url)
        yield client


def chat_body(model: str, *, stream: bool) -> dict[str, Any]:
    return {
        "model": model,
        "stream": stream,
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "Say hello to the customs officer."}],
    }


def tool_body() -> dict[str, Any]:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "customhouse-tour", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "get_forecast", "arguments": {"city": "Oslo"}, "_meta": meta}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


TOOL_HEADERS = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": MODERN,
    "mcp-method": "tools/call",
    "mcp-name": "get_forecast",
}


def agent_body() -> dict[str, Any]:
    message = {"messageId": new_id(), "role": "ROLE_USER", "parts": [{"text": "Make a plan for a day in Oslo."}]}
    return {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}


AGENT_HEADERS = {"content-type": "application/json", "a2a-version": "1.0"}


def wait_until_ready(client: httpx.Client, *, within: float) -> None:
    """Raises TourFailed when the house does not get ready in time."""
    deadline = time.monotonic() + within
    while True:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise TourFailed(f"the house did not get ready within {within:.0f} s")
        time.sleep(0.1)


def working_model(client: httpx.Client, candidates: list[str]) -> str | None:
    """The first of these that answers; real vendors may be out of reach, out of money or out of service."""
    for name in candidates:
        try:
            if client.post("/v1/chat/completions", json=chat_body(name, stream=False)).status_code == 200:
                return name
        except httpx.HTTPError:
            continue
    return None


def first_calls(client: httpx.Client, state: State) -> list[str]:
    """A streamed model call, a tool call and an agent call. Request ids, of which the ledger must come to know."""
    return [_model_call(client, state), _tool_call(client, state), _agent_call(client, state)]


def _model_call(client: httpx.Client, state: State) -> str:
    response = _when_published(client, "/v1/chat/completions", chat_body(state.model, stream=True), {})
    if "[DONE]" not in response.text:
        raise TourFailed(f"the model's stream did not end as it should: {response.text[-200:]!r}")
    return response.headers["x-request-id"]


def _tool_call(client: httpx.Client, state: State) -> str:
    response = _when_published(client, f"/mcp/{state.server}", tool_body(), TOOL_HEADERS)
    if "Sandbox weather" not in response.text:
        raise TourFailed(f"the tool answered {response.text[:200]!r}")
    return response.headers["x-request-id"]


def _agent_call(client: httpx.Client, state: State) -> str:
    response = _when_published(client, f"/a2a/{state.agent}", agent_body(), AGENT_HEADERS)
    if '"result"' not in response.text:
        raise TourFailed(f"the agent answered {response.text[:200]!r}")
    return response.headers["x-request-id"]


def _when_published(client: httpx.Client, path: str, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    """A change is live within a second, not at once: 401 and 404 are asked again for a while."""
    deadline = time.monotonic() + PUBLISHED_SECONDS
    while True:
        response = client.post(path, json=body, headers=headers)
        if response.status_code == 200:
            return response
        if response.status_code not in (401, 404) or time.monotonic() > deadline:
            raise TourFailed(f"POST {path} answered {response.status_code}: {response.text[:300]}")
        time.sleep(0.1)


def wait_for_ledger(client: httpx.Client, state: State, request_ids: list[str]) -> None:
    """Returns when every call can be read over the management API."""
    deadline = time.monotonic() + LEDGER_SECONDS
    headers = {"authorization": f"Bearer {state.admin_key}"}
    for request_id in request_ids:
        while True:
            response = client.get("/api/v1/usage-events/", params={"request_id": request_id}, headers=headers)
            if response.status_code == 200 and response.json()["results"]:
                break
            if time.monotonic() > deadline:
                raise TourFailed(f"the usage event of {request_id} can't be read ({response.status_code})")
            time.sleep(0.1)


def check_report(client: httpx.Client, state: State) -> None:
    params = {"period": f"{datetime.now(UTC):%Y-%m}", "group_by": "team,model", "format": "csv"}
    response = client.get("/api/v1/reports/costs/", params=params, headers={"authorization": f"Bearer {state.admin_key}"})
    if response.status_code != 200 or state.model not in response.text:
        raise TourFailed(f"the cost report answered {response.status_code}: {response.text[:300]}")

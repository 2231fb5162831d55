"""A house of several processes on PostgreSQL and Redis: the tour, revocation everywhere, and a database that is away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from uuid import uuid4

import httpx
import psycopg
import pytest
from redis import Redis

from config.tour import smoke
from config.tour.state import State
from tests.config.composed import Composed
from tests.config.houses import wait_for
from tests.conftest import _named

# Six processes start from nothing here, beside whatever else the machine does.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, postgres_server: str, redis_server: str) -> Iterator[Composed]:
    name = f"customhouse_composed_{uuid4().hex[:12]}"
    with psycopg.connect(_named(postgres_server, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        with Redis.from_url(redis_server) as redis:
            redis.flushdb()
            try:
                with Composed(
                    tmp_path_factory.mktemp("composed"), database_url=_named(postgres_server, name), redis_url=redis_server
                ) as house:
                    yield house
            finally:
                redis.flushdb()
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def state(house: Composed) -> State:
    return State(**house.tour)


def status(client: httpx.Client, model: str = "sandbox-chat") -> int:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    return client.post("/v1/chat/completions", json=body).status_code


def call(client: httpx.Client) -> str:
    """The request id of a model call that must succeed."""
    body = {"model": "sandbox-chat", "messages": [{"role": "user", "content": "hi"}]}
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-request-id"]


def in_ledger(house: Composed, request_id: str) -> bool:
    with house.client(house.web, house.tour["admin_key"]) as client:
        answer = client.get("/api/v1/usage-events/", params={"request_id": request_id})
        return answer.status_code == 200 and len(answer.json()["results"]) == 1


def test_every_gateway_passes_the_same_tour(house: Composed, state: State) -> None:
    for url in house.gateways:
        with house.client(url) as client, house.client(house.web) as web:
            calls = smoke.first_calls(client, state)
            smoke.wait_for_ledger(web, state, calls)
    with house.client(house.web) as web:
        smoke.check_report(web, state)


def test_a_usage_event_can_be_read_within_two_seconds_of_its_call(house: Composed) -> None:
    with house.client(house.gateways[0]) as client:
        request_id = call(client)
    wait_for(lambda: in_ledger(house, request_id), within=2, what="the usage event")


def test_the_admin_is_served_by_web_and_by_no_gateway(house: Composed) -> None:
    assert httpx.get(f"{house.web}/admin/login/", trust_env=False).status_code == 200
    assert [httpx.get(f"{url}/admin/login/", trust_env=False).status_code for url in house.gateways] == [404, 404]


def test_a_key_revoked_in_the_admin_is_refused_by_both_gateways_within_a_second(house: Composed) -> None:
    key = f"ch_{uuid4().hex[:8]}_{uuid4().hex}"
    path = house.folder / "key.yaml"
    path.write_text(f"keys:\n  - {{name: short-lived, owner: tour, secret: {key}}}\n")
    house.manage("apply", str(path))
    with house.client(house.gateways[0], key) as first, house.client(house.gateways[1], key) as second, admin_of(house) as admin:
        for client in (first, second):
            wait_for(lambda client=client: status(client) == 200, within=1, what="the new key")
        found = admin.get("/api/v1/keys/", params={"name": "short-lived"}).json()["results"][0]
        form = {"action": "revoke_selected", "_selected_action": found["id"], "csrfmiddlewaretoken": admin.cookies["customhouse-csrf"]}
        revoked = admin.post("/admin/identity/apikey/", data=form, headers={"referer": house.web})
        answered = time.monotonic()
        assert revoked.status_code == 302
        for client in (first, second):
            wait_for(lambda client=client: status(client) == 401, within=1, what="the refusal")
        assert time.monotonic() - answered < 1


@contextmanager
def admin_of(house: Composed) -> Iterator[httpx.Client]:
    """A browser in which the admin is logged in."""
    with httpx.Client(base_url=house.web, timeout=20, trust_env=False) as client:
        client.get("/admin/login/")
        form = {"username": house.tour["admin_user"], "password": house.tour["admin_password"]}
        form["csrfmiddlewaretoken"] = client.cookies["customhouse-csrf"]
        answer = client.post("/admin/login/?next=/admin/", data=form, headers={"referer": house.web})
        assert answer.status_code == 302
        yield client


def test_a_task_is_done_by_the_worker(house: Composed) -> None:
    program = "from registry.models import Server; print(Server.objects.get().checked_at)\n"
    program += "from registry.tasks import check_servers; check_servers.delay()"
    before = house.manage("shell", "-v0", "-c", program).splitlines()[0]

    def checked() -> bool:
        with house.client(house.web, house.tour["admin_key"]) as client:
            found = client.get("/api/v1/servers/").json()["results"]
            return bool(found) and _instant(found[0]["checked_at"]) > _instant(before)

    wait_for(checked, within=20, what="the check by the worker")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_with_the_database_stopped_gateways_keep_serving_and_the_ledger_is_complete_afterwards(house: Composed) -> None:
    house.database.cut()
    try:
        with ThreadPoolExecutor(4) as pool, house.client(house.gateways[0]) as first, house.client(house.gateways[1]) as second:
            made = list(pool.map(call, [first, second] * 20))
            assert not [status for status in pool.map(_unknown_key, [house.gateways[0]] * 4) if status != 401]
        assert httpx.get(f"{house.gateways[0]}/readyz", trust_env=False).status_code == 200
    finally:
        house.database.restore()
    for request_id in made:
        wait_for(lambda request_id=request_id: in_ledger(house, request_id), within=60, what=f"the usage event of {request_id}")


def _unknown_key(url: str) -> int:
    return httpx.get(f"{url}/v1/models", headers={"authorization": "Bearer ch_00000000_unknown"}, trust_env=False).status_code


def test_a_gateway_that_restarts_serves_at_once_what_it_served_before(house: Composed) -> None:
    name, url = "gateway-2", house.gateways[1]
    assert house.processes[name].stop() == 0
    del house.processes[name]
    house.start(name)
    with house.client(url) as client:
        wait_for(lambda: _status_or_none(client) == 200, within=20, what="the restarted gateway")


def _status_or_none(client: httpx.Client) -> int | None:
    try:
        return status(client)
    except httpx.TransportError:
        return None


def test_every_process_stops_in_order_when_it_is_told_to(house: Composed) -> None:
    """Last in this file. What was used up to the end is in the ledger or on its way there, and nowhere else."""
    with house.client(house.gateways[0]) as client:
        request_id = call(client)
    wait_for(lambda: in_ledger(house, request_id), within=5)
    for name in ("beat", "gateway-1", "gateway-2", "web", "worker"):
        assert house.processes[name].stop() == 0, house.processes[name].output()
    assert not list((house.folder / "homes" / "gateway-1" / "journal").glob("*.log"))

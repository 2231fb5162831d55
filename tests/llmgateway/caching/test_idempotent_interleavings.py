"""However calls with the same keys meet, and whoever leaves: for each key one call is made, and its body is that of the first."""

from __future__ import annotations

import asyncio
import itertools
from typing import NamedTuple

import httpx
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.dialects import CHAT
from tests.fakes.house import NO_TLS, House
from tests.fakes.provider import Asked, Provider, Reply, said
from tests.llmgateway.caching.conftest import consent

_rounds = itertools.count()


class Sent(NamedTuple):
    """One call: with which key, which body, after how many turns of the event loop; whether its caller leaves at once."""

    key: int
    body: int
    after: int
    leaves: bool


CALLS = st.lists(st.builds(Sent, st.integers(0, 2), st.integers(0, 1), st.integers(0, 6), st.booleans()), min_size=2, max_size=9)


async def play(house: House, calls: list[Sent], number: int) -> list[httpx.Response | None]:
    async with httpx.AsyncClient(base_url=house.url, timeout=20, trust_env=False, verify=NO_TLS) as client:

        async def one(sent: Sent) -> httpx.Response | None:
            headers = {**CHAT.headers(house.key), "idempotency-key": f"{number}-{sent.key}"}
            body = {**CHAT.body, "user": f"{number}-{sent.key}-{sent.body}"}
            for _ in range(sent.after):
                await asyncio.sleep(0)
            for _ in range(5000):
                asking = asyncio.create_task(client.post(CHAT.path, json=body, headers=headers))
                if sent.leaves:
                    for _ in range(sent.after + 3):
                        await asyncio.sleep(0)
                    asking.cancel()
                    await asyncio.wait([asking])
                    return None
                answer = await asking
                if answer.status_code != 409:
                    return answer
            raise TimeoutError("a call was never made")

        return await asyncio.gather(*map(one, calls))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=CALLS)
def test_however_duplicates_meet_each_key_is_one_call(house: House, provider: Provider, calls: list[Sent]) -> None:
    def reply(asked: Asked) -> Reply:
        return said({**CHAT.answer, "id": f"{asked.json['user']}-{len(provider.asked)}"})

    consent(house, house.key, cache=False)
    house.publish()
    number = next(_rounds)
    provider.reset()
    provider.fallback = reply
    answers = asyncio.run(play(house, calls, number))
    house.wait_until(lambda: not house.kit.active and not house.kit.claims._running)
    for key in {sent.key for sent in calls}:
        made = [asked.json["user"] for asked in provider.asked if asked.json["user"].startswith(f"{number}-{key}-")]
        stayed = [(sent, answer) for sent, answer in zip(calls, answers, strict=True) if sent.key == key and answer is not None]
        assert len(made) <= 1
        assert len(made) == 1 or not stayed
        told = {answer.content for sent, answer in stayed if f"{number}-{key}-{sent.body}" == made[0]}
        assert len(told) <= 1
        assert all(msgspec.json.decode(body)["id"].startswith(made[0]) for body in told)
        for sent, answer in stayed:
            assert answer.status_code == (200 if f"{number}-{key}-{sent.body}" == made[0] else 422)

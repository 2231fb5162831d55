"""The live feed: who watches sees the calls of their own team tree as they reach the ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from django.db import connections

from dataplane.events import UsageEvent
from dataplane.ids import new_id
from usage.ledger import record
from usage.live import CallsConsumer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]


def a_call(*, team: int | None) -> UsageEvent:
    return UsageEvent(
        id=new_id(),
        request_id=new_id(),
        at=time.time(),
        plane="llm",
        principal="user:1",
        principal_name="ci",
        key=1,
        key_name="ci-key",
        team=team,
        team_name="research",
        model="gpt-4o-mini",
        provider="openai",
        outcome="ok",
        status=200,
        usage={"input": 7, "output": 3},
        cost="0.00001",
        price="override:x@2026-01-01",
    )


async def elsewhere(do: Callable[..., Any], *args: Any) -> None:
    """In another thread, which leaves no connection behind."""

    def there() -> None:
        try:
            do(*args)
        finally:
            connections.close_all()

    await asyncio.to_thread(there)


async def watching(user: Any) -> tuple[WebsocketCommunicator, bool]:
    communicator = WebsocketCommunicator(CallsConsumer.as_asgi(), "/ws/calls/")
    communicator.scope["user"] = user
    accepted, _ = await communicator.connect()
    return communicator, accepted


async def test_a_watcher_sees_a_call_that_another_thread_recorded(admin: Any) -> None:
    communicator, accepted = await watching(admin)
    assert accepted
    call = a_call(team=None)
    await elsewhere(record, [call])
    told = await communicator.receive_json_from(timeout=5)
    assert [(seen["what"], seen["who"], seen["tokens"], seen["cost"]) for seen in told["calls"]] == [("gpt-4o-mini", "ci", 10, "0.00001")]
    await communicator.disconnect()


async def test_staff_see_the_calls_of_their_own_team_tree_only(owner: Any, stranger: Any) -> None:
    def make_staff() -> None:
        for user in (owner, stranger):
            type(user).objects.filter(pk=user.pk).update(is_staff=True)
            user.refresh_from_db()

    await elsewhere(make_staff)
    (mine, accepted), (theirs, accepted_too) = await watching(owner), await watching(stranger)
    assert accepted
    assert accepted_too
    await elsewhere(record, [a_call(team=owner.team_id)])
    told = await mine.receive_json_from(timeout=5)
    assert len(told["calls"]) == 1
    assert await theirs.receive_nothing(timeout=0.2)
    await mine.disconnect()
    await theirs.disconnect()


async def test_nobody_watches_who_is_not_staff(team_mate: Any) -> None:
    def no_staff() -> None:
        type(team_mate).objects.filter(pk=team_mate.pk).update(is_staff=False)
        team_mate.refresh_from_db()

    await elsewhere(no_staff)
    for user in (team_mate, AnonymousUser()):
        _, accepted = await watching(user)
        assert not accepted

"""What runs by the clock: whether servers and agents answer, and whether they are still what was approved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import structlog
from celery import shared_task
from django.db.models import Q, QuerySet
from django.utils import timezone

from registry import actions
from registry.choices import Health, Status
from registry.discovery.asking import ask_agent, ask_server
from registry.errors import DiscoveryError
from registry.models import Agent, Server

log = structlog.get_logger(__name__)

AT_ONCE = 8
"""Items asked at the same time: the checks of a house share one worker with its other tasks."""
DOWN_AGAIN_AFTER = timedelta(minutes=5)
"""What is down keeps a check waiting for its whole timeout, so it is asked less often."""

SCHEDULE = {
    "check_servers": {"task": "registry.tasks.check_servers", "schedule": 60.0, "options": {"expires": 55}},
    "check_agents": {"task": "registry.tasks.check_agents", "schedule": 60.0, "options": {"expires": 55}},
}


@shared_task
def check_servers() -> int:
    """Asks every active server for its tools. What changed waits for review. Returns how many were asked."""
    return _check(Server.objects.select_related("live_version"), ask_server, actions.refresh_server, word="server")


@shared_task
def check_agents() -> int:
    """Fetches the card of every active agent. What changed waits for review. Returns how many were asked."""
    return _check(Agent.objects.all(), ask_agent, actions.refresh_agent, word="agent")


def _check(everything: QuerySet[Any], ask: Callable[[Any], Any], refresh: Callable[..., Any], *, word: str) -> int:
    """Frozen items are asked too: whether a quarantined server is itself again is worth knowing."""
    resting = Q(health=Health.DOWN, checked_at__gt=timezone.now() - DOWN_AGAIN_AFTER)
    items = list(everything.exclude(status=Status.RETIRED).exclude(resting).order_by("checked_at", "pk"))
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix=f"check-{word}") as pool:
        answers: Iterable[Any] = pool.map(lambda item: _answer(ask, item), items)
        for item, answer in zip(items, answers, strict=True):
            _note(item, answer, refresh, word=word)
    return len(items)


def _answer(ask: Callable[[Any], Any], item: Any) -> Any:
    try:
        return ask(item)
    except DiscoveryError as error:
        return error


def _note(item: Any, answer: Any, refresh: Callable[..., Any], *, word: str) -> None:
    before = item.health
    if isinstance(answer, DiscoveryError):
        actions.record_health(item=item, ok=False, error=str(answer))
        if item.health != before:
            log.warning("registry.health", kind=word, slug=item.slug, before=before, now=item.health, error=str(answer))
        return
    version = refresh(**{"actor": None, word: item, "found": answer})
    if version is not None:
        log.warning("registry.drifted", kind=word, slug=item.slug, proposed=version.version)

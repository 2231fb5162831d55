"""Tasks and their schedule, collected from the apps, and the worker inside the all-in-one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from celery.schedules import BaseSchedule
from django.conf import settings

from config.celery import app, collected_schedule


def test_every_scheduled_task_exists_and_every_interval_is_one() -> None:
    app.loader.import_default_modules()
    schedule = collected_schedule()
    assert schedule
    for name, entry in schedule.items():
        assert entry["task"] in app.tasks, name
        assert isinstance(entry["schedule"], (int, float, BaseSchedule)), name


def test_health_checks_of_providers_servers_and_agents_are_scheduled() -> None:
    tasks = {entry["task"] for entry in collected_schedule().values()}
    assert {"llmgateway.tasks.check_providers", "registry.tasks.check_servers", "registry.tasks.check_agents"} <= tasks


def test_names_of_two_apps_do_not_collide() -> None:
    counted = sum(len(getattr(import_module(f"{name}.tasks"), "SCHEDULE", {})) for name in _with_tasks())
    assert len(collected_schedule()) == counted


def _with_tasks() -> list[str]:
    from importlib.util import find_spec

    return [name for name in settings.HOUSE_APPS if find_spec(f"{name}.tasks") is not None]


def test_tasks_take_json_only_and_are_bounded() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_time_limit == 600
    assert app.conf.task_acks_late


def test_a_keys_last_use_is_known_from_the_ledger(owner: Any, django_capture_on_commit_callbacks: Any) -> None:
    import time

    from config import observed
    from dataplane.events import UsageEvent
    from dataplane.ids import new_id
    from tests.factories import make_key
    from usage.ledger import record

    observed._marked.clear()
    key, _ = make_key(owner)
    at = float(int(time.time()))

    def called(when: float) -> None:
        event = UsageEvent(
            id=new_id(),
            request_id=new_id(),
            at=when,
            plane="llm",
            principal=owner.ref,
            principal_name="o",
            key=key.pk,
            key_name="k",
            outcome="ok",
        )
        with django_capture_on_commit_callbacks(execute=True):
            record([event])
        key.refresh_from_db()

    called(at)
    assert key.last_used_at.timestamp() == at
    called(at + 5)
    assert key.last_used_at.timestamp() == at  # within the same minute it is not written again
    called(at + 120)
    assert key.last_used_at.timestamp() == at + 120

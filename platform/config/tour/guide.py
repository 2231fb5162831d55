"""Prepares the tour beside the server that it is about: waits for it, sets it up, makes the first calls, prints."""

from __future__ import annotations

import threading
from collections.abc import Callable

import httpx
import msgspec
import structlog
from django.core.exceptions import ValidationError
from django.db import connections

from config.applying.problems import Refused
from config.env import Environment
from config.tour import contents, smoke, vendors
from config.tour import state as states
from config.tour.printed import tour_text
from config.tour.state import State
from identity.models import User

log = structlog.get_logger(__name__)

READY_SECONDS = 60.0
TOUR = "tour.json"


class Guide(threading.Thread):
    """`tour.json` is written last and is there only while the house runs: where it is, everything in it answers."""

    def __init__(self, environment: Environment, *, show: Callable[[str], None]) -> None:
        super().__init__(name="tour", daemon=True)
        self._environment = environment
        self._show = show

    def run(self) -> None:
        try:
            self._prepare()
        except (smoke.TourFailed, Refused, ValidationError, httpx.HTTPError) as error:
            log.error("tour.failed", error=str(error))
            self._show(f"The house runs, but its tour could not be prepared:\n{error}")
        except Exception:
            log.exception("tour.failed")
        finally:
            connections.close_all()

    def _prepare(self) -> None:
        home, base_url = self._environment.home, self._environment.public_url
        state = states.load(home)
        states.save(home, state)
        with smoke.caller(state, base_url) as client:
            smoke.wait_until_ready(client, within=READY_SECONDS)
            contents.set_up(state, base_url=base_url)
            candidates = vendors.register_found()
            state.base_url = base_url
            if not state.smoked:
                self._first_calls(client, state, candidates)
            states.save(home, state)
        admin = User.objects.get(username=state.admin_user)
        changed = not admin.check_password(state.admin_password)
        self._show(tour_text(state, base_url=base_url, home=home, password_changed=changed))
        states.write_private(home / TOUR, tour_json(state))

    def _first_calls(self, client: httpx.Client, state: State, candidates: list[str]) -> None:
        calls = smoke.first_calls(client, state)
        real = smoke.working_model(client, candidates)
        smoke.wait_for_ledger(client, state, calls)
        smoke.check_report(client, state)
        state.model = real or state.model
        state.smoked = True


def tour_json(state: State) -> bytes:
    """The shape is relied on from outside (design §7)."""
    fields = ("base_url", "admin_user", "admin_password", "admin_key", "key", "model", "server", "agent")
    return msgspec.json.format(msgspec.json.encode({name: getattr(state, name) for name in fields}))

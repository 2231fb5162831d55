"""Follows what other processes commit: twice a second, publish what is pending and hand it on.

A change by this process is handed on by its own commit; this thread is for `manage.py apply`, a worker, another web
process, a Redis that lost its data, and for anything that failed at its first try.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from django.db import close_old_connections, connection

from config.publish import publish_pending

log = structlog.get_logger(__name__)

INTERVAL = 0.5


class Poller:
    """`steps` run after publication, each on its own: one that fails does not keep the others from running."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self._steps = (publish_pending, *steps)
        self._stop = threading.Event()
        self._failing: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="publication-poller", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self.turn()
                self._stop.wait(INTERVAL)
        finally:
            connection.close()

    def turn(self) -> None:
        for number, step in enumerate(self._steps):
            close_old_connections()
            try:
                step()
            except Exception as error:
                if number not in self._failing:
                    # Once per outage: twice a second would bury everything else.
                    log.exception("publication.step_failed", exc_info=error)
                self._failing.add(number)
            else:
                self._failing.discard(number)

"""A Celery worker and beat inside the all-in-one process, over the `memory://` transport: no broker to install.

The worker is a `WorkController` with the `solo` pool in a thread; beat is its own `EmbeddedService`, also a thread.
"""

from __future__ import annotations

import threading
from typing import Any

import structlog
from celery.beat import EmbeddedService
from celery.exceptions import WorkerShutdown
from celery.worker import WorkController, state
from django.db import connections

from config.celery import app

log = structlog.get_logger(__name__)


class EmbeddedCelery:
    """`start` returns at once; `stop` lets a running task end for up to `patience` seconds."""

    def __init__(self) -> None:
        self._worker: Any = None
        self._beat: Any = None
        self._thread = threading.Thread(target=self._work, name="celery-worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, patience: float = 10.0) -> None:
        if self._beat is not None:
            self._beat.stop()
        if self._worker is not None:
            state.should_stop = 0  # type: ignore[assignment]  # its exit status
            self._thread.join(timeout=patience)

    def _work(self) -> None:
        try:
            app.loader.import_default_modules()
            self._worker = WorkController(
                app=app, pool="solo", concurrency=1, without_gossip=True, without_mingle=True, without_heartbeat=True
            )
            # Its thread calls `stop` on its own when it ends, so it must not be waited for at interpreter exit.
            self._beat = EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler)
            self._beat.daemon = True
            self._beat.start()
            self._worker.start()
        except (WorkerShutdown, SystemExit):
            log.info("celery.stopped")
        except Exception:
            log.exception("celery.failed")
        finally:
            connections.close_all()

"""The ledger's end of the usage stream, as a thread of the Celery worker. Any number may run side by side."""

from __future__ import annotations

import threading

from django.conf import settings

from usage.drain import Drain, client_for

STOP_SECONDS = 10.0

_running: list[tuple[Drain, threading.Thread]] = []


def start() -> None:
    """Does nothing in a house without Redis."""
    url = settings.CUSTOMHOUSE.redis_url
    if url is not None:
        drain = Drain(client_for(url))
        thread = threading.Thread(target=drain.run, name="usage-drain", daemon=True)
        _running.append((drain, thread))
        thread.start()


def stop() -> None:
    """What is not committed by then stays in the stream for the next one."""
    for drain, _ in _running:
        drain.stop()
    for _, thread in _running:
        thread.join(timeout=STOP_SECONDS)
    _running.clear()

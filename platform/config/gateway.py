"""The data plane alone: `granian --interface asgi config.gateway:application`, or `python -m config.server gateway`.

Nothing in this process imports Django. It hears of changes through Redis and keeps serving its last good copy of the
snapshot when nobody can be reached, also across a restart.
"""

from __future__ import annotations

import logging.config

from config import env
from config.logs import logging_settings
from config.stopping import drain_first
from config.wiring import composed_kit, data_plane, make_store
from dataplane.asgi import App, Receive, Scope, Send
from dataplane.kit import Kit


class Gateway:
    """Made of the environment with its first message, in the event loop that it then belongs to."""

    def __init__(self) -> None:
        self.kit: Kit | None = None
        self._app: App | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            self._app = self._make()
        await self._app(scope, receive, send)

    def _make(self) -> App:
        environment = env.load()
        logging.config.dictConfig(logging_settings(level=environment.log_level, as_json=environment.log_json))
        self.kit = composed_kit(environment, store=make_store(environment))
        if environment.server == "granian":
            drain_first(self.kit, seconds=environment.drain_seconds)
        return data_plane(environment, self.kit)


application = Gateway()

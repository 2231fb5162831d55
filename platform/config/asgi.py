"""Everything in one ASGI app: the data plane's addresses to the data plane, the rest to Django, live views to Channels.

/v1 /v1beta /mcp /a2a /livez /readyz /metrics   the gateways, as `config.gateway` serves them alone
/sandbox                                        something to try the house on, in the tour
everything else                                 Django
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402

from config.env import Environment  # noqa: E402
from config.house import EmbeddedTasks, publishing_into, publishing_to_redis  # noqa: E402
from config.sandbox.app import PREFIX as SANDBOX  # noqa: E402
from config.sandbox.app import Sandbox  # noqa: E402
from config.seeding import Seeding  # noqa: E402
from config.stopping import drain_first  # noqa: E402
from config.wiring import Parts, composed_kit, data_plane, is_data_plane, make_kit, make_store  # noqa: E402
from dataplane.asgi import App, Receive, Scope, Send  # noqa: E402
from dataplane.authority import LocalAuthority  # noqa: E402
from dataplane.kit import Background, Kit  # noqa: E402
from dataplane.outlets import SinkOutlet  # noqa: E402
from dataplane.pins import Pins  # noqa: E402
from dataplane.pins_file import FileShelf  # noqa: E402
from usage.ledger import sink  # noqa: E402


def _alone(environment: Environment, extra: list[Background]) -> Kit:
    """The all-in-one: the authority and the ledger are in this process."""
    store = make_store(environment)
    authority = LocalAuthority(seeded=False)
    parts = Parts(environment, outlet=SinkOutlet(sink, aside=environment.home / "journal" / "unreadable"), gives_back=None)
    background: list[Background] = [
        publishing_into(store, authority),
        parts.shipper,
        Seeding(authority, parts.recovery),
        EmbeddedTasks(),
        *extra,
    ]
    pins = Pins(FileShelf(environment.home / "pins.jsonl"))
    return make_kit(environment, store=store, authority=authority, parts=parts, background=background, pins=pins)


def _websocket_routes() -> list[Any]:
    """`websocket_urlpatterns` of the apps' routing.py."""
    routes: list[Any] = []
    for app in settings.HOUSE_APPS:
        if find_spec(f"{app}.routing") is not None:
            routes += import_module(f"{app}.routing").websocket_urlpatterns
    return routes


class House:
    """HTTP, lifespan and the data plane's WebSockets. Made with its first message, in the event loop that it then belongs to;
    whichever message that is starts all that runs beside the requests, since not every server speaks of a lifespan."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.kit: Kit | None = None
        self._gateways: App | None = None
        self._sandbox = Sandbox(environment.public_url) if environment.sandbox else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._gateways is None:
            self._make()
        assert self.kit is not None and self._gateways is not None  # noqa: PT018
        path = scope.get("path", "")
        if scope["type"] == "lifespan" or is_data_plane(path):
            await self._gateways(scope, receive, send)
            return
        if not self.kit.started:
            await self.kit.start()
        if self._sandbox is not None and path.startswith(SANDBOX):
            await self._sandbox(scope, receive, send)
        else:
            await django_application(cast("dict[str, Any]", scope), receive, cast("Any", send))

    def _make(self) -> None:
        extra: list[Background] = [] if self._sandbox is None else [self._sandbox]
        if self.environment.redis_url is None:
            self.kit = _alone(self.environment, extra)
        else:
            background = [publishing_to_redis(self.environment), *extra]
            self.kit = composed_kit(self.environment, store=make_store(self.environment), background=background)
        if self.environment.server == "granian":
            drain_first(self.kit, seconds=self.environment.drain_seconds)
        self._gateways = data_plane(self.environment, self.kit)


house = House(settings.CUSTOMHOUSE)
live_views = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(_websocket_routes())))


async def sockets(scope: Scope, receive: Receive, send: Send) -> None:
    """The data plane's callers prove themselves by keys, whatever page they come from: sessions and origins are for live views."""
    if is_data_plane(scope.get("path", "")):
        await house(scope, receive, send)
    else:
        await live_views(scope, receive, send)


application = ProtocolTypeRouter(
    {
        "http": house,
        "lifespan": house,
        "websocket": sockets,
    }
)

"""One worker of the data plane, put together. No Django: the gateway process and the all-in-one both come through here."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from redis import Redis

from agentgateway.proxy import app as agents
from config.env import ConfigurationError, Environment
from dataplane.asgi import App
from dataplane.authority import Authority
from dataplane.idempotency import Claims
from dataplane.idempotency_redis import RedisClaims
from dataplane.journal import Journal
from dataplane.kit import Background, Kit, application
from dataplane.limits import Limits
from dataplane.outlets import Outlet, StreamOutlet
from dataplane.pins import Pins
from dataplane.pins_redis import RedisShelf
from dataplane.recovery import GivesBack, Recovery
from dataplane.redis_authority import RedisAuthority
from dataplane.sealing import Sealer
from dataplane.shipper import Shipper
from dataplane.store import Store
from dataplane.subscribe import Subscriber
from llmgateway.proxy import app as models
from llmgateway.proxy import stored
from llmgateway.proxy.realtime import app as realtime
from llmgateway.proxy.stored.watch import BatchWatch
from mcpgateway.proxy import app as servers

PATHS = ("/v1/", "/v1beta/", "/v2/", "/mcp/", "/a2a/")
OPERATIONS = frozenset({"/livez", "/readyz", "/metrics"})


def is_data_plane(path: str) -> bool:
    """Whether an address belongs to the data plane, where it shares a process with the control plane."""
    return path.startswith(PATHS) or path in OPERATIONS


def make_store(environment: Environment) -> Store:
    return Store(path=environment.home / "snapshot.msgpack")


class Parts:
    """Journal, shipper and recovery of one worker, before a kit is made of them."""

    def __init__(self, environment: Environment, *, outlet: Outlet, gives_back: GivesBack | None) -> None:
        directory = environment.home / "journal"
        self.journal = Journal(directory, worker=environment.worker, max_bytes=environment.journal_max_bytes)
        self.shipper = Shipper(self.journal, outlet)
        self.recovery = Recovery(directory, shipper=self.shipper, authority=gives_back)


def make_kit(
    environment: Environment,
    *,
    store: Store,
    authority: Authority,
    parts: Parts,
    background: Sequence[Background],
    pins: Pins,
    claims: Claims | None = None,
) -> Kit:
    kit = Kit(
        pepper=environment.key_pepper,
        sealer=Sealer(*environment.seal_keys),
        store=store,
        limits=Limits(authority, on_lease=parts.journal.lease),
        journal=parts.journal,
        background=background,
        pins=pins,
        claims=claims,
    )
    kit.debug.directory = environment.home / "debug"
    kit.attach(BatchWatch(kit))
    return kit


def composed_kit(environment: Environment, *, store: Store, background: Sequence[Background] = ()) -> Kit:
    """A worker of a house of several processes: everything that they share is in Redis. To be called in its event loop."""
    if environment.redis_url is None:
        raise ConfigurationError("CUSTOMHOUSE_REDIS_URL: expected an address; a gateway on its own hears of changes through Redis")
    authority = RedisAuthority(environment.redis_url)
    client = Redis.from_url(environment.redis_url, socket_timeout=5, socket_connect_timeout=2)
    parts = Parts(environment, outlet=StreamOutlet(client), gives_back=authority)
    subscriber = Subscriber(store, url=environment.redis_url)
    beside = (*background, subscriber, parts.shipper, parts.recovery)
    pins = Pins(RedisShelf(environment.redis_url))
    claims = Claims(RedisClaims(environment.redis_url, sealer=Sealer(*environment.seal_keys)))
    return make_kit(environment, store=store, authority=authority, parts=parts, background=beside, pins=pins, claims=claims)


def data_plane(environment: Environment, kit: Kit) -> App:
    """The ASGI app of all three gateways."""
    hosts = tuple(dict.fromkeys((urlsplit(environment.public_url).hostname or "", *environment.allowed_hosts)))
    return application(
        kit,
        [
            models.routes(),
            stored.routes(),
            realtime.routes(),
            servers.routes(public_url=environment.public_url, hosts=hosts),
            agents.routes(public_url=environment.public_url),
        ],
    )

"""`python -m config.server`: everything in one process. `python -m config.server gateway`: the data plane alone.

CUSTOMHOUSE_SERVER chooses between the hardened Daphne and Granian; both drain on SIGTERM. CUSTOMHOUSE_WORKERS (Granian,
gateway only) is the number of processes; more than one needs Redis, which a gateway alone needs anyway.
"""

from __future__ import annotations

import argparse
import logging.config
import sys
from importlib import import_module

from config import env
from config.env import ConfigurationError, Environment
from config.logs import logging_settings

TARGETS = {"everything": "config.asgi:application", "gateway": "config.gateway:application"}
HEADER_MILLISECONDS = 10_000


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m config.server", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", nargs="?", choices=sorted(TARGETS), default="everything")
    what = parser.parse_args(arguments).what
    try:
        environment = env.load()
        if what == "gateway" and environment.redis_url is None:
            raise ConfigurationError("CUSTOMHOUSE_REDIS_URL: expected an address; a gateway on its own hears of changes through Redis")
    except ConfigurationError as error:
        sys.exit(str(error))
    logging.config.dictConfig(logging_settings(level=environment.log_level, as_json=environment.log_json))
    if environment.server == "granian":
        serve_with_granian(environment, what)
    else:
        serve_with_daphne(environment, what)


def serve_with_granian(environment: Environment, what: str) -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    workers = environment.workers if what == "gateway" else 1  # all-in-one means one
    settings = HTTP1Settings(header_read_timeout=HEADER_MILLISECONDS, max_buffer_size=64 * 1024)
    Granian(
        TARGETS[what],
        address=environment.host,
        port=environment.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        http1_settings=settings,
        workers=workers,
        workers_kill_timeout=environment.drain_seconds,
        respawn_failed_workers=what == "gateway",
        log_enabled=False,
    ).serve()


def serve_with_daphne(environment: Environment, what: str) -> None:
    from config.daphne import HouseServer  # first: it installs the reactor
    from config.lifespan import Lifespan
    from config.wiring import is_data_plane

    module_name, _, name = TARGETS[what].partition(":")
    module = import_module(module_name)
    application = getattr(module, name)
    owner = getattr(module, "house", application)
    lifespan = Lifespan(application)

    async def drain() -> None:
        if owner.kit is not None:
            owner.kit.draining = True

    server = HouseServer(
        application,
        host=environment.host,
        port=environment.port,
        drain_seconds=environment.drain_seconds,
        trust_proxy=environment.trust_proxy,
        on_start=lifespan.start,
        on_drain=drain,
        on_stop=lifespan.stop,
        drains=is_data_plane,
    )
    server.run()
    if server.failed:
        sys.exit(1)


if __name__ == "__main__":
    main()

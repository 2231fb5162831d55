"""`python -m config.run`, which is what `make run` starts: the database brought up to date, everything served by one
process, and the tour prepared beside it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.env import Environment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("CUSTOMHOUSE_SANDBOX", "1")


def main() -> None:
    from config import env
    from config.env import ConfigurationError

    try:
        environment = env.load()
    except ConfigurationError as error:
        sys.exit(str(error))

    tour = environment.home / "tour.json"
    tour.unlink(missing_ok=True)  # of a house that was killed
    try:
        _run(environment)
    finally:
        tour.unlink(missing_ok=True)


def _run(environment: Environment) -> None:
    import django

    django.setup()

    from config import server
    from config.management.commands.upgrade import upgrade
    from config.tour.guide import Guide

    print("Customhouse: bringing the database up to date …", flush=True)
    upgrade()
    print(f"Customhouse: starting at {environment.public_url} …", flush=True)
    Guide(environment, show=lambda text: print(text, flush=True)).start()
    server.main([])


if __name__ == "__main__":
    main()

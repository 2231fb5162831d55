from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from usage.drain import Drain, client_for


class Command(BaseCommand):
    help = "Bring settled calls from the Redis stream into the ledger, until SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="take what is there and end")

    def handle(self, *args: Any, **options: Any) -> None:
        url = settings.CUSTOMHOUSE.redis_url
        if url is None:
            raise CommandError("CUSTOMHOUSE_REDIS_URL is not set: without Redis the serving process writes its ledger itself.")
        drain = Drain(client_for(url))
        if options["once"]:
            while drain.drain_once():
                pass
            self.stdout.write(f"{drain.recorded} usage events")
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: drain.stop())
        drain.run()

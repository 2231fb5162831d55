"""The house's own look at batches that are under way: one that nobody fetches is settled all the same."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from typing import TYPE_CHECKING

import msgspec

from dataplane.errors import HouseError
from dataplane.pins import Pin
from llmgateway.proxy.stored.asking import ask
from llmgateway.proxy.stored.notes import order_of
from llmgateway.proxy.stored.settling import leg_of, place_of, settle
from llmgateway.proxy.stored.wires import WIRES, batch_in

if TYPE_CHECKING:
    from dataplane.kit import Kit

log = logging.getLogger("customhouse.batches")

EVERY = 60.0
"""Seconds between two looks at one batch, by whichever worker."""

GONE_AFTER = 3 * 86_400.0
"""Seconds after its order in which a batch has long ended: one that its provider does not know by then is given up."""


class BatchWatch:
    """Conforms to `dataplane.kit.Background`. Workers share the looks: each batch is one worker's to look at for a while."""

    def __init__(self, kit: Kit, *, every: float = EVERY) -> None:
        self._kit = kit
        self._every = every
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def look(self) -> int:
        """One round; how many batches it settled. A batch that can't be looked at keeps no other from it."""
        settled = 0
        for ident, pin in await self._kit.pins.open():
            try:
                if await self._kit.pins.claim(f"look:{ident}", max(1, int(self._every) - 1)):
                    settled += await self._look_at(ident, pin)
            except HouseError as error:
                log.warning("the batch %s at %s can't be settled yet: %s", ident, pin.provider_name, error.message)
        return settled

    async def _look_at(self, ident: str, pin: Pin) -> bool:
        order = order_of(pin)
        if order is None:
            return False
        wire = WIRES[order.wire]
        told = await ask(leg_of(place_of(self._kit, pin), wire.path.format(ident), wire))
        if told.status >= 400:
            log.warning("the batch %s can't be looked at: %s answered %d", ident, pin.provider_name, told.status)
            if told.status in (404, 410) and time.time() - order.at > GONE_AFTER:
                log.error("the batch %s is gone at %s: what it used will never be known", ident, pin.provider_name)
                self._kit.pins.remember(ident, msgspec.structs.replace(pin, open=False))
            return False
        return await settle(self._kit, ident, batch_in(told.body))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every * random.uniform(0.8, 1.0))  # noqa: S311 - spreads the workers, nothing secret
            try:
                await self.look()
            except HouseError as error:
                log.warning("batches can't be looked at: %s", error.message)
            except Exception:
                # A watch that dies would leave what batches use untold for as long as the worker lives.
                log.exception("the watch over batches failed; it goes on")

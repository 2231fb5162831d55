"""Takes over the journals of workers that died: settles what they left open, gives back what they held.

A journal is a dead worker's when its lock is free. Whoever takes the lock finishes the journal *in place*: the open
calls are settled by lines appended to it, then every slice is given back and stated as 0. So whatever a worker had done
when it is killed itself, the next one reads it from the same file and goes on from there:

    1. take the locks, oldest segment first       2. cut off the torn last line
    3. append a settled line for each open call   4. for each account: append a lease of 0, give back its rest
    5. ship to the end (the shipper does)         6. delete, oldest segment first, the bookmark last

A kill between the two halves of step 4 leaves that one slice taken until its window ends or the authority is seeded anew:
given back twice it would let a budget be overspent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from dataplane import money
from dataplane.errors import AuthorityUnavailable
from dataplane.events import Intent, Lease, UsageEvent
from dataplane.segments import Replay, Segment, Slice, journals, mend, replay, take
from dataplane.shipper import Orphan

if TYPE_CHECKING:
    from dataplane.shipper import Shipper

log = logging.getLogger(__name__)

EVERY = 5.0
STALE_AFTER = 60.0
"""Seconds until a segment that never got its final name is litter: its worker died within that one moment."""

_encode = msgspec.json.Encoder().encode


class GivesBack(Protocol):
    """What recovery needs of the authority (`dataplane.authority.Authority` has it)."""

    async def health(self) -> bool: ...

    async def settle(self, account: str, spent: int) -> None: ...

    async def give_back(self, account: str, amount: int) -> None: ...


def unsettled(intent: Intent) -> UsageEvent:
    """The usage event of a call whose worker died: nobody knows how it ended, so it counts as all that was reserved."""
    return UsageEvent(
        id=intent.id,
        request_id=intent.request_id,
        at=intent.at,
        plane=intent.plane,
        principal=intent.principal,
        principal_name=intent.principal_name,
        key=intent.key,
        key_name=intent.key_name,
        team=intent.team,
        team_name=intent.team_name,
        model=intent.model,
        provider=intent.provider,
        deployment=intent.deployment,
        server=intent.server,
        tool=intent.tool,
        agent=intent.agent,
        outcome="unknown",
        usage=intent.estimate,
        cost=money.to_text(money.from_nano(intent.reserve)) if intent.price else None,
        price=intent.price or None,
        estimated=True,
    )


class Recovery:
    """Looks for dead workers' journals at start and every `every` seconds. Conforms to `kit.Background`.

    Without an authority nothing is given back: the one that lives in this process starts from the ledger, which knows
    nothing of slices that died with the process before it."""

    def __init__(self, directory: Path, *, shipper: Shipper, authority: GivesBack | None, every: float = EVERY) -> None:
        self._directory = directory
        self._shipper = shipper
        self._authority = authority
        self._every = every
        self._pending: dict[str, tuple[Orphan, Replay]] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        await self._guarded()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Lets a look that is under way end: a write to a taken-over file is not to be cut off from its file."""
        self._stopping.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def catch_up(self) -> None:
        """Takes over and ships all that dead workers left, now. For a process whose authority starts from the ledger: call
        it before. Raises what the outlet raises."""
        await self.run_once()
        while await asyncio.to_thread(self._shipper.ship):
            pass

    async def run_once(self) -> list[UsageEvent]:
        """One look. What it settled; slices that can not be given back now are given back by a later look."""
        settled = await asyncio.to_thread(self._take_over)
        for name, (orphan, state) in list(self._pending.items()):
            try:
                await self._give_back(orphan, state)
            except (AuthorityUnavailable, OSError) as error:
                log.warning("journal %s: its slices can not be given back yet: %s", name, error)
                continue
            orphan.released = True
            del self._pending[name]
        return settled

    async def _run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._every)
                return
            await self._guarded()

    async def _guarded(self) -> None:
        try:
            await self.run_once()
        except Exception:
            log.exception("recovery of dead workers' journals failed; it is tried again")

    def _take_over(self) -> list[UsageEvent]:
        settled: list[UsageEvent] = []
        for name, paths in journals(self._directory).items():
            if (orphan := seize(self._directory, name, paths)) is None:
                continue
            try:
                state, events = finish(orphan)
            except OSError:
                log.exception("journal %s: could not be finished; it is tried again", name)
                for segment in orphan.segments:
                    segment.release()
                continue
            log.warning("journal %s of a dead worker: %d open calls settled as estimates", name, len(events))
            settled += events
            self._pending[name] = (orphan, state)
            self._shipper.adopt(orphan)
        self._sweep()
        return settled

    async def _give_back(self, orphan: Orphan, state: Replay) -> None:
        """Raises AuthorityUnavailable; what is not given back then is stated again."""
        authority = self._authority
        if state.slices and authority is not None and not await authority.health():
            raise AuthorityUnavailable("The budget authority can not be reached.")
        for name, held in list(state.slices.items()):
            await asyncio.to_thread(append, orphan, [Lease(account=held.ref)])
            if authority is not None:
                try:
                    await _return(authority, held)
                except BaseException:
                    append(orphan, [Lease(account=held.ref, held=held.left, spent=held.spent)])
                    raise
            del state.slices[name]

    def _sweep(self) -> None:
        """Removes segments that never got their final name, and bookmarks without a journal."""
        names = journals(self._directory).keys()
        for path in self._directory.iterdir():
            litter = path.suffix == ".new" or (path.suffix == ".offset" and path.stem not in names)
            if litter and time.time() - path.stat().st_mtime > STALE_AFTER:
                path.unlink(missing_ok=True)


async def _return(authority: GivesBack, held: Slice) -> None:
    """Moves on `held` as it goes. What is left can be negative, when calls cost more than they had reserved."""
    if held.spent > 0:
        await authority.settle(held.ref, held.spent)
        held.spent = 0
    if held.left > 0:
        await authority.give_back(held.ref, held.left)
        held.left = 0


def seize(directory: Path, name: str, paths: list[Path]) -> Orphan | None:
    """All segments of a journal, locked, or None when its worker lives or another worker seizes it at this moment: it
    holds the oldest one then, as everybody starts there."""
    segments: list[Segment] = []
    for path in paths:
        segment = take(path)
        if segment is None:
            for held in segments:
                held.release()
            return None
        segments.append(segment)
    return Orphan(directory, name, segments)


def finish(orphan: Orphan) -> tuple[Replay, list[UsageEvent]]:
    """Settles what is open, in the journal itself. What it says afterwards, and the events added."""
    if [segment for segment in orphan.segments if mend(segment)]:
        log.error("journal %s: the machine went down before all of it was on disk", orphan.name)
    state = replay(segment.path for segment in orphan.segments)
    if state.unreadable:
        log.error("journal %s: %d unreadable lines", orphan.name, state.unreadable)
    intents = list(state.open.values())
    events = [unsettled(intent) for intent in intents]
    append(orphan, events)
    for intent, event in zip(intents, events, strict=True):
        state.slices.spend(intent.accounts, event.cost)
    state.open.clear()
    return state, events


def append(orphan: Orphan, lines: list[UsageEvent] | list[Lease]) -> None:
    """On disk when it returns. Raises OSError, and then nothing was written."""
    if lines:
        last = orphan.segments[-1]
        last.append(b"".join(_encode(line) + b"\n" for line in lines))
        os.fdatasync(last.fd)

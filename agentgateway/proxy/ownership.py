"""Whose task is whose. An agent behind the house sees one caller, so the house has to tell its callers apart.

What a caller was answered with is remembered as its own: tasks and contexts, by agent. The memory is this worker's and
bounded: a task that another worker saw, or that was forgotten, belongs to nobody here. An operation on such a task is
let through (its id is the agent's secret with who started it) and a success claims it; a list never shows it.
"""

from __future__ import annotations

from collections import OrderedDict

MAX_REMEMBERED = 50_000


class Ownership:
    """Tasks and contexts by agent and id. Owners are subjects, see dataplane.snapshot."""

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._owners: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        self._limit = limit

    def claim_task(self, agent: str, task: str, owner: str) -> None:
        self._claim((agent, "task", task), owner)

    def claim_context(self, agent: str, context: str, owner: str) -> None:
        self._claim((agent, "context", context), owner)

    def is_foreign_task(self, agent: str, task: str, caller: str) -> bool:
        """Whether it is known to be another's."""
        return self._owner((agent, "task", task)) not in (None, caller)

    def is_foreign_context(self, agent: str, context: str, caller: str) -> bool:
        return self._owner((agent, "context", context)) not in (None, caller)

    def is_own(self, agent: str, *, task: str, context: str, caller: str) -> bool:
        """Whether it is known to be the caller's, by itself or by the context that it belongs to."""
        owner = self._owner((agent, "task", task))
        if owner is None and context:
            owner = self._owner((agent, "context", context))
        return owner == caller

    def _owner(self, key: tuple[str, str, str]) -> str | None:
        owner = self._owners.get(key)
        if owner is not None:
            self._owners.move_to_end(key)
        return owner

    def _claim(self, key: tuple[str, str, str], owner: str) -> None:
        """The first to be seen with it keeps it."""
        self._owners.setdefault(key, owner)
        self._owners.move_to_end(key)
        if len(self._owners) > self._limit:
            self._owners.popitem(last=False)

"""What a call is likely to cost, from what calls like it really cost."""

from __future__ import annotations

from collections import deque

RECENT = 64


class Expectation:
    """The dearest of a model's last `RECENT` settled ones that cost anything."""

    def __init__(self) -> None:
        self._costs: dict[str, deque[int]] = {}
        self.fresh: dict[str, int] = {}

    def record(self, model: str, cost: int) -> None:
        """A call that cost nothing tells nothing: most often it failed."""
        if cost <= 0:
            return
        costs = self._costs.get(model)
        if costs is None:
            costs = self._costs[model] = deque(maxlen=RECENT)
        costs.append(cost)
        if cost > self.fresh.get(model, 0):
            self.fresh[model] = cost

    def adopt(self, model: str, cost: int) -> None:
        """Another worker's experience, where this one has none."""
        self._costs.setdefault(model, deque((cost,), maxlen=RECENT))

    def get(self, model: str) -> int | None:
        costs = self._costs.get(model)
        return max(costs) if costs else None

    def take_fresh(self) -> dict[str, int]:
        """The dearest per model since this was last asked."""
        fresh, self.fresh = self.fresh, {}
        return fresh

"""Counters of one worker. The hot path adds to plain dictionaries; Prometheus' own objects are made when scraped."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

MOST_CODES = 500
"""Refusals that are counted apart. The house has some dozens of codes; an upstream may invent them."""

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Metrics:
    """Calls by plane and outcome, refusals by code, latency by plane, and gauges read when asked."""

    __slots__ = ("_buckets", "_sums", "calls", "gauges", "refusals")

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.refusals: Counter[tuple[str, str]] = Counter()
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self._buckets: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def call(self, plane: str, outcome: str, seconds: float) -> None:
        self.calls[plane, outcome] += 1
        buckets = self._buckets.get(plane)
        if buckets is None:
            buckets = self._buckets[plane] = [0] * (len(BOUNDS) + 1)
            self._sums[plane] = 0.0
        buckets[bisect_left(BOUNDS, seconds)] += 1
        self._sums[plane] += seconds

    def refusal(self, plane: str, code: str) -> None:
        known = (plane, code) in self.refusals or len(self.refusals) < MOST_CODES
        self.refusals[plane, code if known else "other"] += 1

    def collect(self) -> Iterator[Metric]:
        calls = CounterMetricFamily("customhouse_calls", "Settled legs.", labels=("plane", "outcome"))
        for labels, count in list(self.calls.items()):
            calls.add_metric(labels, count)
        yield calls
        refusals = CounterMetricFamily("customhouse_refusals", "Calls the house said no to.", labels=("plane", "code"))
        for labels, count in list(self.refusals.items()):
            refusals.add_metric(labels, count)
        yield refusals
        latency = HistogramMetricFamily("customhouse_call_seconds", "Duration of a leg.", labels=("plane",))
        for plane, buckets in list(self._buckets.items()):
            running, rows = 0, []
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
                running += count
                rows.append((bound, running))
            latency.add_metric((plane,), rows, sum_value=self._sums[plane])
        yield latency
        for name, (text, read) in self.gauges.items():
            yield GaugeMetricFamily(f"customhouse_{name}", text, value=read())

    def render(self) -> bytes:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

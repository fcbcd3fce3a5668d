"""Seconds per call, each call waited for; every call is kept."""

from __future__ import annotations

from collections.abc import Generator

from pytest_aiperf.contracts import Tools, Turn
from pytest_aiperf.measure import collector_off
from pytest_aiperf.terms import Better, Metric, Rule, Unit
from pytest_aiperf.vocabulary import Sample

METRIC = Metric(name="latency", title="latency", unit=Unit.SECONDS, better=Better.LOWER, rule=Rule.TIME, portable=False)
METRICS = (METRIC,)

SHORTEST_TURN = 10e-6
"""Calls shorter than this are timed in batches: a pair of clock readings costs about a hundredth of it."""
BATCH_TURN = 100e-6
MOST_CALLS = 20_000


class Latency:
    """At least `calls` timed calls and `seconds` of them, after max(3, 10 %) discarded ones."""

    metrics = METRICS

    def __init__(self, *, calls: int, seconds: float, max_seconds: float) -> None:
        self.calls = calls
        self.seconds = seconds
        self.max_seconds = max_seconds

    def plan(self, tools: Tools) -> Generator[Turn, float, tuple[Sample, ...]]:
        """Yield one turn per call (per batch, for very short ones)."""
        first = yield Turn()
        slow = first > self.max_seconds / 5
        shortest = float("inf")
        for _ in range(1 if slow else max(3, self.calls // 10)):
            shortest = min(shortest, (yield Turn()))
        batch = 1 if shortest >= SHORTEST_TURN else max(2, round(BATCH_TURN / max(shortest, 1e-9)))
        with collector_off():
            tools.foreign.start()
            values: list[float] = []
            spent = 0.0
            while not self._enough(len(values), spent):
                turn_seconds = yield Turn(calls=batch)
                spent += turn_seconds
                values.append(turn_seconds / batch)
            foreign = tools.foreign.share()
        notes: tuple[str, ...] = (f"timed in batches of {batch} calls",) if batch > 1 else ()
        if len(values) < self.calls:
            notes += (f"only {len(values)} calls fitted into {self.max_seconds:g} s",)
        return (
            Sample(
                metric=METRIC.name,
                values=tuple(values),
                notes=notes,
                parts={"first call": first},
                foreign_share=foreign,
            ),
        )

    def _enough(self, taken: int, spent: float) -> bool:
        if taken >= MOST_CALLS or spent >= self.max_seconds:
            return taken > 0
        return taken >= self.calls and spent >= self.seconds

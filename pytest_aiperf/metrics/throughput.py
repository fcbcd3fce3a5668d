"""Items per second with calls queued back to back and one wait at the end of each burst."""

from __future__ import annotations

from collections.abc import Generator

from pytest_aiperf.contracts import Tools, Turn
from pytest_aiperf.measure import collector_off
from pytest_aiperf.terms import Better, Metric, Rule, Unit
from pytest_aiperf.vocabulary import Sample

METRIC = Metric(
    name="throughput",
    title="throughput",
    unit=Unit.PER_SECOND,
    better=Better.HIGHER,
    rule=Rule.TIME,
    portable=False,
)
METRICS = (METRIC,)

BURSTS = 10
FEWEST_BURSTS = 5


class Throughput:
    """`BURSTS` bursts that share `seconds` (fewer, of one call, where a call takes longer); `items` per call."""

    metrics = METRICS

    def __init__(self, *, items: int, seconds: float) -> None:
        self.items = items
        self.seconds = seconds

    def plan(self, tools: Tools) -> Generator[Turn, float, tuple[Sample, ...]]:
        """Yield one turn per burst, each as long as its share of the time."""
        single = min((yield Turn()), (yield Turn()))
        slow = single > self.seconds
        calls = 1 if slow else max(2, round(self.seconds / BURSTS / max(single, 1e-9)))
        with collector_off():
            tools.foreign.start()
            values = []
            for _ in range(FEWEST_BURSTS if slow else BURSTS):
                burst_seconds = yield Turn(calls=calls)
                values.append(self.items * calls / max(burst_seconds, 1e-9))
            foreign = tools.foreign.share()
        return (
            Sample(
                metric=METRIC.name,
                values=tuple(values),
                notes=(f"{calls} calls queued per burst, {self.items} items per call",),
                foreign_share=foreign,
            ),
        )

"""Items per second: of calls queued back to back, one wait per burst; of the timed calls where nothing queues."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import replace

from pytest_aiperf.measuring.driver import NANOSECOND, collector_off
from pytest_aiperf.vocabulary.contracts import TimedCalls, Tools
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Better, Metric, Rule, Turns, Unit

METRIC = Metric(
    name="throughput",
    title="throughput",
    unit=Unit.PER_SECOND,
    better=Better.HIGHER,
    rule=Rule.TIME,
    measured_by="aiperf.infer(...) or aiperf.call(...)",
    turns=Turns.BURSTS,
    total=True,
)
METRICS = (METRIC,)

BURSTS = 10
FEWEST_BURSTS = 5


def of_calls(seconds: Sequence[float], *, items: int, bursts: int = BURSTS) -> tuple[float, ...]:
    """Items per second of calls that were waited for one by one, in at most `bursts` runs of neighbouring calls.

    `seconds`: of each call; `items` per call.
    """
    size = max(1, math.ceil(len(seconds) / bursts))
    runs = [seconds[start : start + size] for start in range(0, len(seconds), size)]
    return tuple(items * len(run) / max(sum(run), NANOSECOND) for run in runs)


def derived(latency: Sample, *, items: int) -> Sample:
    """What follows from the latency's calls where no device queues any: a pass of its own would say the same."""
    return replace(
        latency,
        metric=METRIC.name,
        values=of_calls(latency.values, items=items),
        notes=(f"of the calls timed for the latency, {items} items per call",),
        parts={},
    )


class Throughput:
    """`BURSTS` bursts that share `seconds` (fewer, of one call, where a call takes longer); `items` per call."""

    def __init__(self, *, items: int, seconds: float) -> None:
        self.items = items
        self.seconds = seconds

    def plan(self, tools: Tools) -> Generator[TimedCalls, float, tuple[Sample, ...]]:
        """Yield one turn per burst, each as long as its share of the time."""
        single = min((yield TimedCalls()), (yield TimedCalls()))
        slow = single > self.seconds
        calls = 1 if slow else max(2, round(self.seconds / BURSTS / max(single, 1e-9)))
        with collector_off():
            tools.foreign.start()
            values = []
            for _ in range(FEWEST_BURSTS if slow else BURSTS):
                burst_seconds = yield TimedCalls(calls=calls)
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

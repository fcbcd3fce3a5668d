"""Seconds per call, each call waited for; every call is kept."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from statistics import median

from pytest_aiperf.measuring.driver import collector_off, flushing
from pytest_aiperf.vocabulary.contracts import TimedCalls, Tools
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Better, Metric, Rule, Turns, Unit

METRIC = Metric(
    name="latency",
    title="latency",
    unit=Unit.SECONDS,
    better=Better.LOWER,
    rule=Rule.TIME,
    measured_by="aiperf.infer(...) or aiperf.call(...)",
    per_call=True,
    turns=Turns.CALLS,
)
METRICS = (METRIC,)

SHORTEST_TURN = 10e-6
"""Calls shorter than this are timed in batches: a pair of clock readings costs about a hundredth of it."""
BATCH_TURN = 100e-6
SLOW_SECONDS = 1.0
"""A call that takes longer makes a turn alone, and is warmed up once."""
MOST_CALLS = 20_000
SETTLED = 2.0
"""A warm-up goes on until its last calls take at most so many times as long as its shortest one."""
LAST_CALLS = 3
MOST_WARM_UPS = 20
COMPILED = "compiling and warming up"
"""The part of the first calls that they took longer than a later one: compilers, graph captures, searches."""


def batch_of(seconds: float) -> int:
    """How many calls, of so many seconds each, are timed together."""
    return 1 if seconds >= SHORTEST_TURN else max(2, round(BATCH_TURN / max(seconds, 1e-9)))


class Latency:
    """At least `calls` timed calls and `seconds` of them, after max(3, 10 %) discarded ones."""

    def __init__(self, *, calls: int, seconds: float, max_seconds: float, flush: bool = False) -> None:
        self.calls = calls
        self.seconds = seconds
        self.max_seconds = max_seconds
        self.flush = flush
        """Whether the caches of the devices are emptied before each call."""

    def plan(self, tools: Tools) -> Generator[TimedCalls, float, tuple[Sample, ...]]:
        """Yield one turn per call (per batch, for very short ones)."""
        before = flushing(tools, wanted=self.flush)
        first = yield TimedCalls(before=before)
        warm_ups: list[float] = []
        while not self._warm(first, warm_ups):
            warm_ups.append((yield TimedCalls(before=before)))
        shortest = min(warm_ups)
        batch = 1 if before else batch_of(shortest)
        with collector_off():
            tools.foreign.start()
            values: list[float] = []
            spent = 0.0
            while not self._enough(len(values), spent):
                turn_seconds = yield TimedCalls(calls=batch, before=before)
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
                parts={"first call": first, **_compiling([first, *warm_ups], values)},
                foreign_share=foreign,
            ),
        )

    def _warm(self, first: float, seconds: Sequence[float]) -> bool:
        """Whether the calls have settled: compiled models take several to compile and capture, some compile twice."""
        most = self.max_seconds / 5
        if not seconds:
            return False
        is_slow = min(first, *seconds) > most
        fewest = 1 if is_slow else max(LAST_CALLS, self.calls // 10)
        if len(seconds) < fewest and sum(seconds) <= most:
            return False
        settled = max(seconds[-LAST_CALLS:]) <= SETTLED * min(seconds)
        return settled or sum(seconds) > most or len(seconds) >= fewest + MOST_WARM_UPS

    def _enough(self, taken: int, spent: float) -> bool:
        if taken >= MOST_CALLS or spent >= self.max_seconds:
            return taken > 0
        return taken >= self.calls and spent >= self.seconds


def _compiling(first: Sequence[float], timed: Sequence[float]) -> dict[str, float]:
    typical = median(timed)
    more = sum(seconds - typical for seconds in first if seconds > SETTLED * typical)
    return {COMPILED: more} if more > 0 else {}

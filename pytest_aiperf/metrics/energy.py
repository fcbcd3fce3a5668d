"""Joules per call, by the driver's counter of the whole device."""

from __future__ import annotations

from collections.abc import Generator

from pytest_aiperf.contracts import Tools, Turn
from pytest_aiperf.measure import collector_off
from pytest_aiperf.terms import Better, Metric, Rule, Unit
from pytest_aiperf.vocabulary import Sample

METRIC = Metric(
    name="energy", title="energy per call", unit=Unit.JOULES, better=Better.LOWER, rule=Rule.SHOWN, portable=False
)
METRICS = (METRIC,)

BURST_SECONDS = 0.1


class Energy:
    """Calls queued back to back for `seconds`; drivers renew their counter about ten times a second."""

    metrics = METRICS

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds

    def plan(self, tools: Tools) -> Generator[Turn, float, tuple[Sample, ...]]:
        """Yield one turn per burst; no sample where the driver does not count energy."""
        if tools.devices.joules() is None:
            return ()
        burst = max(1, round(BURST_SECONDS / max((yield Turn()), 1e-9)))
        calls, spent = 0, 0.0
        with collector_off():
            before = tools.devices.joules()
            while spent < self.seconds:
                spent += yield Turn(calls=burst)
                calls += burst
            after = tools.devices.joules()
        if before is None or after is None:
            return ()
        return (
            Sample(
                metric=METRIC.name,
                values=((after - before) / calls,),
                notes=(f"{calls} calls in {spent:.2f} s, of the whole device, what it takes idle included",),
            ),
        )

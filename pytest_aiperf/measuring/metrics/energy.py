"""Joules per call, by the driver's counter of the whole device; and clock and power while it was timed."""

from __future__ import annotations

import functools
from collections.abc import Generator

from pytest_aiperf.measuring.driver import collector_off
from pytest_aiperf.vocabulary.contracts import TimedCalls, Tools
from pytest_aiperf.vocabulary.devices import DevicesSeen
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Better, Metric, Rule, Unit

_kept = functools.partial(Metric, rule=Rule.SHOWN, kept=True)
METRIC = _kept(name="energy", title="energy per call", unit=Unit.JOULES, better=Better.LOWER)
CLOCK = _kept(name="clock_mhz", title="clock of the slowest device, MHz", unit=Unit.NUMBER, better=Better.HIGHER)
POWER = _kept(name="watts", title="power of all devices, W", unit=Unit.NUMBER, better=Better.LOWER)
METRICS = (METRIC, CLOCK, POWER)

BURST_SECONDS = 0.1


def samples_of(seen: DevicesSeen) -> tuple[Sample, ...]:
    """Clock and power as samples, as far as they are known."""
    known = ((CLOCK, seen.megahertz), (POWER, seen.watts))
    return tuple(Sample(metric=metric.name, values=(value,)) for metric, value in known if value is not None)


class Energy:
    """Calls queued back to back for `seconds`; drivers renew their counter about ten times a second."""

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds

    def plan(self, tools: Tools) -> Generator[TimedCalls, float, tuple[Sample, ...]]:
        """Yield one turn per burst; no sample where the driver does not count energy."""
        if tools.conditions.joules() is None:
            return ()
        burst = max(1, round(BURST_SECONDS / max((yield TimedCalls()), 1e-9)))
        calls, spent = 0, 0.0
        with collector_off():
            before = tools.conditions.joules()
            while spent < self.seconds:
                spent += yield TimedCalls(calls=burst)
                calls += burst
            after = tools.conditions.joules()
        if before is None or after is None:
            return ()
        return (
            Sample(
                metric=METRIC.name,
                values=((after - before) / calls,),
                notes=(f"{calls} calls in {spent:.2f} s, of the whole device, what it takes idle included",),
            ),
        )

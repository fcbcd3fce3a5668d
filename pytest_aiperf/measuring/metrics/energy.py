"""Joules per call, by the driver's counter of the whole device; and clock and power while it was timed."""

from __future__ import annotations

from collections.abc import Generator

from pytest_aiperf.measuring.driver import collector_off
from pytest_aiperf.vocabulary.contracts import TimedCalls, Tools
from pytest_aiperf.vocabulary.devices import DevicesSeen
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Better, Metric, Rule, Unit


def _kept(name: str, title: str, unit: Unit, better: Better) -> Metric:
    return Metric(name=name, title=title, unit=unit, better=better, rule=Rule.SHOWN, portable=False, kept=True)


METRIC = _kept("energy", "energy per call", Unit.JOULES, Better.LOWER)
CLOCK = _kept("clock_mhz", "clock of the slowest device, MHz", Unit.NUMBER, Better.HIGHER)
POWER = _kept("watts", "power of all devices, W", Unit.NUMBER, Better.LOWER)
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

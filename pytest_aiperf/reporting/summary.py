"""What the samples of a measurement come to, for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from pytest_aiperf.measuring.metrics import device_time, energy, latency
from pytest_aiperf.vocabulary.records import Measurement
from pytest_aiperf.vocabulary.terms import Origin

SHARES = (50, 90, 95, 99)
_NAMES = tuple(one.METRIC.name for one in (latency, device_time, energy))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Of the test's own process; None for what was not measured."""

    calls: int
    percentiles: Mapping[int, float] = field(default_factory=dict)
    """Percent of the calls -> seconds that no slower one of them took."""
    device_seconds: float | None = None
    """Median of a call on the device."""
    busy: float | None = None
    joules: float | None = None
    """Of one call."""


def summary_of(measurement: Measurement) -> Summary:
    """Latency, device time and energy of a call."""
    latencies, times, joules = (measurement.values(name, Origin.IN_PROCESS) for name in _NAMES)
    ordered = sorted(latencies)
    return Summary(
        calls=len(ordered),
        percentiles={share: ordered[math.ceil(share / 100 * len(ordered)) - 1] for share in SHARES} if ordered else {},
        device_seconds=median(times) if times else None,
        busy=device_time.busy_share(latencies, times),
        joules=joules[0] if joules else None,
    )

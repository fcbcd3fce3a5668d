"""Seconds that the device itself works on one call, by its own clock; with how busy that keeps it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from statistics import median

from pytest_aiperf.measuring.driver import collector_off
from pytest_aiperf.vocabulary.contracts import TimedCalls, Tools
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Better, Metric, Rule, Unit

METRIC = Metric(
    name="device_time", title="device time", unit=Unit.SECONDS, better=Better.LOWER, rule=Rule.SHOWN, kept=True
)
METRICS = (METRIC,)

CALLS = 30
LONGEST_HOLD = 0.1
HEAD_START = 50e-6
MOST_SECONDS = 2.0
"""All of its calls together; a model that takes a second is timed a few times only."""
FEWEST = 3


class DeviceTime:
    """Calls that are queued while the device is held back, so that it works on them without waiting for the host.

    That way the time between the two events has no gaps in which the host prepares the next kernel (Triton's `do_bench`
    gets there by clearing a cache first). `latency`: seconds of one call, the host's work included.
    """

    def __init__(self, *, latency: float, flush: bool = False) -> None:
        self.latency = latency
        self.flush = flush
        """Whether the caches of the devices are emptied before each call."""

    def plan(self, tools: Tools) -> Generator[TimedCalls, float, tuple[Sample, ...]]:
        """Yield one turn per call; no sample where no device has a clock."""
        timers = [timer for one in tools.devices.started() if (timer := one.timer()) is not None]
        if not timers:
            return ()

        def start() -> None:
            if self.flush:
                tools.devices.flush()
            for timer in timers:
                timer.hold(min(LONGEST_HOLD, HEAD_START + 1.5 * self.latency))
                timer.start()

        def stop() -> None:
            for timer in timers:
                timer.stop()

        values = []
        calls = min(CALLS, max(FEWEST, round(MOST_SECONDS / max(self.latency, 1e-9))))
        with collector_off():
            for _ in range(calls):
                yield TimedCalls(before=start, after=stop)
                values.append(max(timer.seconds() for timer in timers))
        return (
            Sample(
                metric=METRIC.name,
                values=tuple(values),
                notes=("by events on the current stream, of calls queued while the device was held back",),
            ),
        )


def busy_share(latencies: Sequence[float], times: Sequence[float]) -> float | None:
    """Of each call, how much the device works on it; None where nothing was timed."""
    return min(1.0, median(times) / median(latencies)) if latencies and times else None


def host_bound(share: float) -> str:
    """For people."""
    return (
        f"the device is busy for {share:.0%} of each call, and waits for the host otherwise: larger batches, CUDA "
        "graphs or torch.compile, not smaller weights, make such a model faster"
    )

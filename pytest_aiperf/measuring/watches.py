"""What memory a piece of work takes: one watch for each kind, around all of it."""

from __future__ import annotations

from collections.abc import Generator

from pytest_aiperf.measuring.metrics.cpu_memory import RamWatch
from pytest_aiperf.measuring.metrics.gpu_memory import GpuWatch
from pytest_aiperf.vocabulary.contracts import TimedCalls, Tools
from pytest_aiperf.vocabulary.records import Sample


class Watches(tuple[RamWatch | GpuWatch, ...]):
    """Several as one: the last is started last and read first. As a probe: around one call in a pass of its own."""

    __slots__ = ()

    def start(self) -> Watches:
        """Note what is held already."""
        for watch in self:
            watch.start()
        return self

    def samples(self) -> tuple[Sample, ...]:
        """What each of them has seen since the start."""
        return tuple(sample for watch in reversed(self) for sample in watch.samples())

    def plan(self, tools: Tools) -> Generator[TimedCalls, float, tuple[Sample, ...]]:  # noqa: ARG002 - the contract's
        """Start, make one call, read."""
        self.start()
        yield TimedCalls()
        return self.samples()

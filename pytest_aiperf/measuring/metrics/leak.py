"""Memory that grows with every call, on the processor's side and on a device's."""

from __future__ import annotations

import functools
import gc
from collections.abc import Generator, Sequence
from dataclasses import replace

from pytest_aiperf.vocabulary.contracts import TimedCalls, Tools
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Better, Metric, Need, Rule, Unit

_leak = functools.partial(Metric, unit=Unit.BYTES, better=Better.LOWER, rule=Rule.LEAK, measured_by="aiperf.soak(...)")
LEAK = _leak(name="leak", title="leak per call")
GPU_LEAK = _leak(name="gpu_leak", title="GPU leak per call", limited_as=LEAK.name, needs=Need.GPU)
METRICS = (LEAK, GPU_LEAK)
WARM_UPS = 60
BLOCK = 10
"""Calls of which the lowest memory counts: what a call needs and gives back is no leak."""
DRIVER_ONLY = "the driver's figure alone: no runtime here counts its tensors"
ALLOCATOR_ONLY = "the allocator's figure alone: the driver does not tell this process's"


class Soak:
    """Calls again and again, and reads the memory after each call; the samples are the lowest of every ten."""

    def __init__(self, *, calls: int, warm_ups: int = WARM_UPS) -> None:
        self.calls = calls
        self.warm_ups = warm_ups

    def plan(self, tools: Tools) -> Generator[TimedCalls, float, tuple[Sample, ...]]:
        """One turn per call. On a device, what both the allocator and the driver saw grow."""
        for _ in range(self.warm_ups):
            yield TimedCalls()
        gc.collect()
        tools.memory.give_back()
        for _ in range(min(self.warm_ups, BLOCK)):
            yield TimedCalls()
        start = tools.devices.held()
        process: list[float] = []
        device: list[float] = []
        for _ in range(self.calls):
            yield TimedCalls()
            process.append(float(tools.memory.glance()))
            if start != (None, None):
                device.append(_growth(start, tools.devices.held()))
        leak = Sample(metric=LEAK.name, values=_lowest(process), calls_per_value=BLOCK)
        if start == (None, None):
            return (leak,)
        notes = {(True, False): (ALLOCATOR_ONLY,), (False, True): (DRIVER_ONLY,)}
        known = start[0] is not None, start[1] is not None
        return leak, replace(leak, metric=GPU_LEAK.name, values=_lowest(device), notes=notes.get(known, ()))


def _growth(start: Sequence[int | None], now: Sequence[int | None]) -> float:
    """The smaller one of both: a leak is what both see."""
    pairs = zip(start, now, strict=True)
    return float(
        min((after - before for before, after in pairs if before is not None and after is not None), default=0)
    )


def _lowest(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(min(values[start : start + BLOCK]) for start in range(0, len(values) - BLOCK + 1, BLOCK))

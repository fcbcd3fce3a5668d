"""Peak of the process's anonymous and shared memory, above that of the process before its test."""

from __future__ import annotations

import gc

from pytest_aiperf.vocabulary.contracts import CpuMemory
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import HELD_BEFORE, Better, Metric, Need, Origin, Phase, Rule, Unit

RAM = Metric(
    name="ram",
    title="peak memory",
    unit=Unit.BYTES,
    better=Better.LOWER,
    rule=Rule.PROCESS_MEMORY,
    negligible=8 * 1024**2,
    needs=Need.RAM,
    peak=True,
    file_bound=True,
)
RAM_FILE = Metric(name="ram_file", title="mapped files", unit=Unit.BYTES, better=Better.LOWER, rule=Rule.SHOWN)
METRICS = (RAM, RAM_FILE)


class RamWatch:
    """Reads the kernel's peak counter around a piece of work; figures are above `base` bytes."""

    def __init__(self, memory: CpuMemory, *, base: int, origin: Origin, phase: Phase | None = None) -> None:
        self.memory = memory
        self.base = base
        self.origin = origin
        self.phase = phase
        self.resettable = True
        self.before = 0

    def start(self) -> None:
        """Collect garbage and restart the peak counter."""
        gc.collect()
        self.resettable = self.memory.reset_peak()
        self.before = max(0, self.memory.now() - self.base)

    def samples(self) -> tuple[Sample, ...]:
        """Anonymous peak and file-backed pages since `start`."""
        peak = self.memory.peak()
        notes: tuple[str, ...] = (self.memory.method(),)
        if not self.resettable:
            notes += ("the peak counter of this system cannot be reset: the figure covers the whole process",)
        ram = () if peak is None else (float(max(0, peak - self.base)),)
        mapped = self.memory.file_backed()
        parts = {HELD_BEFORE: float(self.before)} if self.before else {}
        if self.phase is not None and ram:
            parts[self.phase.value] = ram[0]
        return (
            Sample(metric=RAM.name, values=ram, origin=self.origin, notes=notes, parts=parts),
            Sample(metric=RAM_FILE.name, values=() if mapped is None else (float(mapped),), origin=self.origin),
        )

"""Memory on GPUs: what allocators handed out, what they hold, what the driver charges to this process."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from pytest_aiperf.vocabulary.devices import Devices, GpuMemory
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import HELD_BEFORE, Better, Metric, Need, Origin, Phase, Rule, Unit

_peak = functools.partial(Metric, unit=Unit.BYTES, better=Better.LOWER, needs=Need.GPU, peak=True)
ALLOCATED = _peak(name="gpu_allocated", title="GPU peak, allocated", rule=Rule.EXACT, portable=True)
RESERVED = _peak(name="gpu_reserved", title="GPU peak, reserved", rule=Rule.EXACT, portable=True)
PROCESS = _peak(
    name="gpu_process",
    title="GPU process memory",
    rule=Rule.PROCESS_MEMORY,
    portable=False,
    negligible=8 * 1024**2,
)
METRICS = (ALLOCATED, RESERVED, PROCESS)

NO_GPU = "no GPU in use by this process"
NO_COUNTER = "no runtime in this process counts it"
CONTEXT = "context and libraries"
ALL_PROCESSES = "all processes"
INCOMPLETE = "process memory is known on some of the devices only: a sum would be too small"

FIGURES: Mapping[str, Callable[[GpuMemory], int | None]] = {
    ALLOCATED.name: lambda record: record.allocated_peak,
    RESERVED.name: lambda record: record.reserved_peak,
    PROCESS.name: lambda record: record.process,
}


class GpuWatch:
    """Restarts the peaks before a piece of work and reads them after it.

    A runtime that starts its device in between counts from its start. The driver keeps no peak: its figure is that of
    the moment of reading, and caching allocators still hold then what they took.
    """

    def __init__(
        self,
        devices: Devices,
        *,
        origin: Origin = Origin.IN_PROCESS,
        phase: Phase | None = None,
    ) -> None:
        self._devices = devices
        self._origin = origin
        self._phase = phase
        self._before: Mapping[str, float] = {}

    def start(self) -> None:
        """Restart every peak and note what is held already."""
        self._devices.reset_peaks()
        seen = self._read()
        self._before = {metric: sum(_by_device(metric, seen).values()) for metric in FIGURES}

    def samples(self) -> tuple[Sample, ...]:
        """Sums over all devices since `start`, each device a part; without a figure no value and the reason."""
        seen = self._read()
        return tuple(self._sample(metric, seen) for metric in FIGURES)

    def _read(self) -> list[Sequence[GpuMemory]]:
        return [device.memory() for device in self._devices]

    def _sample(self, metric: str, seen: Sequence[Sequence[GpuMemory]]) -> Sample:
        known = _by_device(metric, seen)
        if not known:
            anything = any(_by_device(figure, seen) for figure in FIGURES)
            reasons = (NO_COUNTER if anything else NO_GPU, *_notes(seen))
            return Sample(metric=metric, values=(), origin=self._origin, notes=reasons)
        if metric == PROCESS.name and any(_partly_known(records) for records in seen):
            reasons = (INCOMPLETE, *_notes(seen))
            return Sample(metric=metric, values=(), origin=self._origin, notes=reasons, parts=known)
        before, total = self._before.get(metric, 0.0), sum(known.values())
        return Sample(
            metric=metric,
            values=(total,),
            origin=self._origin,
            notes=_notes(seen, metric=metric),
            parts={
                **known,
                **(_beside(seen) if metric == PROCESS.name else {}),
                **({HELD_BEFORE: before} if before else {}),
                **({self._phase.value: total} if self._phase is not None else {}),
            },
        )


def _beside(seen: Sequence[Sequence[GpuMemory]]) -> dict[str, float]:
    """What the process has beside its allocator's blocks, contexts and libraries; and what all processes have."""
    parts: dict[str, float] = {}
    for record in (record for records in seen for record in records):
        if record.process is not None and record.reserved is not None:
            parts[f"{CONTEXT} on {record.device}"] = float(max(0, record.process - record.reserved))
        if record.device_used is not None:
            parts[f"{ALL_PROCESSES} on {record.device}"] = float(record.device_used)
    return parts


def _by_device(metric: str, seen: Sequence[Sequence[GpuMemory]]) -> dict[str, float]:
    figures = ((record.device, FIGURES[metric](record)) for records in seen for record in records)
    return {device: float(figure) for device, figure in figures if figure is not None}


def _notes(seen: Sequence[Sequence[GpuMemory]], *, metric: str | None = None) -> tuple[str, ...]:
    """Of every record, or of those alone that have the metric's figure; each once."""
    records = [record for records in seen for record in records]
    if metric is not None:
        records = [record for record in records if FIGURES[metric](record) is not None]
    return tuple(dict.fromkeys(note for record in records for note in record.notes))


def _partly_known(records: Sequence[GpuMemory]) -> bool:
    # Another accelerator that tells nothing at all (JAX) does not matter: the driver counts its bytes with the rest.
    return len({record.process is None for record in records}) > 1

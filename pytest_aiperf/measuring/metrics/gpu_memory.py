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
PROCESS = _peak(name="gpu_process", title="GPU process memory", rule=Rule.PROCESS_MEMORY, negligible=8 * 1024**2)
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

    def __init__(self, devices: Devices, *, origin: Origin = Origin.IN_PROCESS, phase: Phase | None = None) -> None:
        self._devices = devices
        self._origin = origin
        self._phase = phase
        self._before: Mapping[str, float] = {}

    def start(self) -> None:
        """Restart every peak and note what is held already."""
        self._devices.reset_peaks()
        seen = self._devices.memory()
        self._before = {metric: sum(_by_device(metric, seen).values()) for metric in FIGURES}

    def samples(self) -> tuple[Sample, ...]:
        """Sums over all devices since `start`, each device a part; without a figure no value and the reason."""
        of_each = [device.memory() for device in self._devices]
        seen = [record for records in of_each for record in records]
        incomplete = any(map(_partly_known, of_each))
        return tuple(self._sample(metric, seen, incomplete=incomplete) for metric in FIGURES)

    def _sample(self, metric: str, seen: Sequence[GpuMemory], *, incomplete: bool) -> Sample:
        known = _by_device(metric, seen)
        if not known or (metric == PROCESS.name and incomplete):
            anything = any(_by_device(figure, seen) for figure in FIGURES)
            reason = INCOMPLETE if known else NO_COUNTER if anything else NO_GPU
            return Sample(metric=metric, values=(), origin=self._origin, notes=(reason, *_notes(seen)), parts=known)
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


def _beside(seen: Sequence[GpuMemory]) -> dict[str, float]:
    """What the process has beside its allocator's blocks, contexts and libraries; and what all processes have."""
    parts: dict[str, float] = {}
    for record in seen:
        if record.process is not None and record.reserved is not None:
            parts[f"{CONTEXT} on {record.device}"] = float(max(0, record.process - record.reserved))
        if record.device_used is not None:
            parts[f"{ALL_PROCESSES} on {record.device}"] = float(record.device_used)
    return parts


def _by_device(metric: str, seen: Sequence[GpuMemory]) -> dict[str, float]:
    figures = ((record.device, FIGURES[metric](record)) for record in seen)
    return {device: float(figure) for device, figure in figures if figure is not None}


def _notes(seen: Sequence[GpuMemory], *, metric: str | None = None) -> tuple[str, ...]:
    """Of every record, or of those alone that have the metric's figure; each once."""
    wanted = [record for record in seen if metric is None or FIGURES[metric](record) is not None]
    return tuple(dict.fromkeys(note for record in wanted for note in record.notes))


def _partly_known(records: Sequence[GpuMemory]) -> bool:
    # Another accelerator that tells nothing at all (JAX) does not matter: the driver counts its bytes with the rest.
    return len({record.process is None for record in records}) > 1

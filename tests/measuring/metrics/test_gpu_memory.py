"""GPU memory around a call or a whole test: sums, parts, and reasons instead of zeros."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_aiperf.measuring.metrics.gpu_memory import (
    INCOMPLETE,
    METRICS,
    NO_COUNTER,
    NO_GPU,
    GpuWatch,
)
from pytest_aiperf.measuring.watches import Watches
from pytest_aiperf.vocabulary.contracts import TimedCalls
from pytest_aiperf.vocabulary.devices import Devices, GpuMemory
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import HELD_BEFORE, Origin, Phase
from tests.fakes import FakeAccelerator, tools


def record(
    device: str = "GPU-a",
    *,
    allocated: int | None = None,
    reserved: int | None = None,
    process: int | None = None,
    notes: tuple[str, ...] = (),
) -> GpuMemory:
    return GpuMemory(device=device, allocated_peak=allocated, reserved_peak=reserved, process=process, notes=notes)


def test_context_and_other_processes_are_told_apart_from_what_the_allocator_holds():
    records = [
        GpuMemory(
            device=name,
            allocated_peak=1,
            reserved_peak=9,
            reserved=reserved,
            process=process,
            device_used=used,
            device_total=99,
        )
        for name, reserved, process, used in (("GPU-a", 5, 30, 50), ("GPU-b", 7, 40, 70))
    ]
    assert watch(records)["gpu_process"].parts == {
        "GPU-a": 30,
        "GPU-b": 40,
        "context and libraries on GPU-a": 25,
        "context and libraries on GPU-b": 33,
        "all processes on GPU-a": 50,
        "all processes on GPU-b": 70,
        HELD_BEFORE: 70,
    }


def test_a_phase_is_a_part_of_each_figure():
    records = [record("GPU-a", allocated=10, reserved=20), record("GPU-b", allocated=1, reserved=2)]
    watching = GpuWatch(Devices([FakeAccelerator(memory=records)]), phase=Phase.FIRST)
    watching.start()
    parts = {sample.metric: sample.parts.get("first inference") for sample in watching.samples()}
    assert parts == {"gpu_allocated": 11, "gpu_reserved": 22, "gpu_process": None}


def watch(*members: Sequence[GpuMemory]) -> dict[str, Sample]:
    """What is seen of accelerators that report these records before and after."""
    watching = GpuWatch(Devices([FakeAccelerator(memory=records) for records in members]))
    watching.start()
    return {sample.metric: sample for sample in watching.samples()}


class Growing(FakeAccelerator):
    """A device whose figures are others at each reading."""

    def __init__(self, *readings: Sequence[GpuMemory]) -> None:
        super().__init__()
        self.readings = list(readings)

    def memory(self) -> Sequence[GpuMemory]:
        return self.readings.pop(0)


def test_it_restarts_the_peak_makes_one_call_and_reads():
    device = FakeAccelerator(memory=[record(allocated=10, reserved=20, process=30)])
    plan = Watches([GpuWatch(Devices([device]))]).plan(tools())
    assert next(plan) == TimedCalls(calls=1)
    assert device.resets == 1
    with pytest.raises(StopIteration) as end:
        plan.send(0.1)
    assert {sample.metric: sample.values for sample in end.value.value} == {
        "gpu_allocated": (10.0,),
        "gpu_reserved": (20.0,),
        "gpu_process": (30.0,),
    }


def test_it_reports_every_metric_that_it_declares():
    assert [metric.name for metric in METRICS] == list(watch([]))


def test_it_leaves_devices_alone_that_were_not_started():
    device = FakeAccelerator(initialised=False)
    GpuWatch(Devices([device])).start()
    assert device.resets == 0


def test_it_adds_up_devices_and_shows_each():
    seen = watch([record("GPU-a", allocated=10), record("GPU-b", allocated=5)])["gpu_allocated"]
    assert seen.values == (15.0,)
    assert {device: seen.parts[device] for device in ("GPU-a", "GPU-b")} == {"GPU-a": 10.0, "GPU-b": 5.0}


def test_it_shows_what_was_held_before():
    device = Growing([record(allocated=40, process=500)], [record(allocated=90, process=560)])
    watching = GpuWatch(Devices([device]))
    watching.start()
    allocated, _, process = watching.samples()
    assert (allocated.values, allocated.parts[HELD_BEFORE]) == ((90.0,), 40.0)
    assert (process.values, process.parts[HELD_BEFORE]) == ((560.0,), 500.0)


def test_it_covers_a_device_that_the_work_itself_starts():
    watching = GpuWatch(Devices([Growing([], [record(allocated=90)])]))
    watching.start()
    allocated = watching.samples()[0]
    assert (allocated.values, allocated.parts) == ((90.0,), {"GPU-a": 90.0})


def test_it_says_that_there_is_no_gpu():
    assert {(sample.values, sample.notes) for sample in watch([], []).values()} == {((), (NO_GPU,))}


def test_it_adds_the_drivers_reason_where_there_is_one():
    seen = watch([record("NVIDIA", notes=("NVML cannot start: Driver Not Loaded",))])
    assert {(sample.values, sample.notes) for sample in seen.values()} == {
        ((), (NO_GPU, "NVML cannot start: Driver Not Loaded"))
    }


def test_it_gives_the_drivers_figure_alone_where_no_runtime_counts():
    seen = watch([record(process=300)])
    assert seen["gpu_process"].values == (300.0,)
    assert (seen["gpu_allocated"].values, seen["gpu_allocated"].notes) == ((), (NO_COUNTER,))
    assert (seen["gpu_reserved"].values, seen["gpu_reserved"].notes) == ((), (NO_COUNTER,))


def test_it_gives_the_allocators_figures_alone_where_the_driver_is_silent():
    seen = watch([record(allocated=10, reserved=20, notes=("process memory unknown: Not Supported",))])
    assert seen["gpu_allocated"].values == (10.0,)
    assert seen["gpu_process"].values == ()
    assert seen["gpu_process"].notes == (NO_COUNTER, "process memory unknown: Not Supported")


def test_it_refuses_a_process_sum_that_misses_a_device():
    silent = record("GPU-b", allocated=5, notes=("process memory unknown: Not Supported",))
    seen = watch([record("GPU-a", allocated=10, process=300), silent])
    assert seen["gpu_process"].values == ()
    assert seen["gpu_process"].notes == (INCOMPLETE, "process memory unknown: Not Supported")
    assert seen["gpu_process"].parts == {"GPU-a": 300.0}
    assert seen["gpu_allocated"].values == (15.0,)


def test_it_takes_the_drivers_figure_beside_a_runtime_that_only_counts_its_own():
    seen = watch([record("GPU-a", process=300)], [record("jax cuda:0", allocated=70, notes=("whole process",))])
    assert seen["gpu_process"].values == (300.0,)
    assert seen["gpu_process"].notes == ()
    assert (seen["gpu_allocated"].values, seen["gpu_allocated"].notes) == ((70.0,), ("whole process",))


def test_it_keeps_the_origin():
    samples = GpuWatch(Devices([]), origin=Origin.FRESH).samples()
    assert {sample.origin for sample in samples} == {Origin.FRESH}

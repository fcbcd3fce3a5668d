"""CUDA and ROCm: what torch counts, what the driver charges, and which devices are touched at all."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_aiperf.machine.nvml import Nvml
from pytest_aiperf.runtimes.accelerators.cuda import Cuda, create
from pytest_aiperf.vocabulary.devices import GpuMemory
from tests.fakes_gpu import (
    MIB,
    OWN,
    STRANGER,
    FakeGpu,
    FakeNvmlError,
    FakePynvml,
    FakeTorchDevice,
    nvml,
    nvml_over,
    torch_with_cuda,
    without_driver,
)


def cuda(torch: Any = None, driver: Nvml | None = None, **environ: str) -> Cuda:
    modules = {} if torch is None else {"torch": torch}
    return Cuda(modules=modules, nvml=driver or without_driver(), environ=environ)


def test_it_waits_only_for_devices_that_the_process_has_started():
    torch = torch_with_cuda(FakeTorchDevice(context=False), FakeTorchDevice(), FakeTorchDevice())
    cuda(torch).wait()
    assert torch.cuda.log == ["synchronize 1", "synchronize 2"]


def test_it_waits_for_the_current_device_and_those_that_hold_memory_where_torch_is_older():
    devices = [FakeTorchDevice(), FakeTorchDevice(), FakeTorchDevice(cached=MIB)]
    torch = torch_with_cuda(*devices, private=False)
    cuda(torch).wait()
    assert torch.cuda.log == ["synchronize 0", "synchronize 2"]


def test_it_touches_nothing_of_a_torch_that_has_not_started_cuda():
    torch = torch_with_cuda(FakeTorchDevice(), initialised=False)
    member = cuda(torch)
    assert not member.initialised()
    member.wait()
    member.reset_peak()
    assert torch.cuda.log == []


def test_it_ignores_a_torch_that_is_still_being_imported():
    assert not cuda(object()).initialised()


def test_it_restarts_the_peak_after_giving_everything_back():
    torch = torch_with_cuda(FakeTorchDevice(), FakeTorchDevice())
    cuda(torch).reset_peak()
    assert torch.cuda.log == [
        "synchronize 0",
        "synchronize 1",
        "empty_cache",
        "clear workspaces",
        "reset 0",
        "reset 1",
    ]


def test_it_restarts_the_peak_where_torch_cannot_clear_workspaces():
    torch = torch_with_cuda(FakeTorchDevice(), private=False)
    cuda(torch).reset_peak()
    assert torch.cuda.log == ["synchronize 0", "empty_cache", "reset 0"]


def test_it_asks_nothing_of_the_driver_around_timed_calls():
    library = FakePynvml(FakeGpu("GPU-a"))
    member = cuda(torch_with_cuda(FakeTorchDevice("a")), nvml_over(library))
    member.initialised()
    member.wait()
    assert library.log == []


def test_it_maps_devices_by_uuid_because_torch_and_the_driver_order_them_differently():
    torch = torch_with_cuda(
        FakeTorchDevice("fast", allocated=10, reserved=20, held=7, cached=15), FakeTorchDevice("slow", context=False)
    )
    driver = nvml(
        FakeGpu("GPU-slow", compute=[(STRANGER, 5)]), FakeGpu("GPU-fast", compute=[(OWN, 600)], used=900, total=2000)
    )
    assert cuda(torch, driver).memory() == [
        GpuMemory(
            device="GPU-fast",
            allocated=7,
            allocated_peak=10,
            reserved=15,
            reserved_peak=20,
            process=600,
            device_used=900,
            device_total=2000,
        )
    ]


def test_it_finds_a_mig_instance():
    torch = torch_with_cuda(FakeTorchDevice("5e6f", allocated=10, reserved=20))
    whole = FakeGpu("GPU-whole", compute=[(OWN, 600)], instances=[FakeGpu("MIG-5e6f", compute=[(OWN, None)])])
    (record,) = cuda(torch, nvml(whole)).memory()
    assert record.device == "MIG-5e6f"
    assert record.process is None
    assert "MIG" in record.notes[0]


def test_it_still_tells_what_torch_counts_without_a_driver_library():
    (record,) = cuda(torch_with_cuda(FakeTorchDevice("a", allocated=10, reserved=20))).memory()
    assert (record.device, record.allocated_peak, record.reserved_peak) == ("GPU-a", 10, 20)
    assert record.process is None
    assert record.notes == ("process memory unknown: NVML cannot start: NVML Shared Library Not Found",)


def test_it_says_unknown_and_not_zero_in_a_container_with_process_ids_of_its_own():
    torch = torch_with_cuda(FakeTorchDevice("a", allocated=10, reserved=20))
    (record,) = cuda(torch, nvml(FakeGpu("GPU-a", compute=[(STRANGER, 600)]))).memory()
    assert record.process is None
    assert "container" in record.notes[0]


def test_it_names_a_device_by_index_where_torch_tells_no_uuid():
    (record,) = cuda(torch_with_cuda(FakeTorchDevice(None)), nvml(FakeGpu("GPU-a"))).memory()
    assert (record.device, record.process) == ("cuda:0", None)
    assert record.notes == ("process memory unknown: torch tells no UUID",)


def test_it_sees_a_runtime_that_tells_nothing_through_the_driver():
    driver = nvml(FakeGpu("GPU-a"), FakeGpu("GPU-b", compute=[(OWN, 300)], used=700, total=2000))
    assert cuda(None, driver).memory() == [
        GpuMemory(
            device="GPU-b", allocated_peak=None, reserved_peak=None, process=300, device_used=700, device_total=2000
        )
    ]


def test_it_adds_devices_that_another_runtime_uses_beside_torch():
    torch = torch_with_cuda(FakeTorchDevice("a", allocated=10, reserved=20))
    driver = nvml(FakeGpu("GPU-a", compute=[(OWN, 100)]), FakeGpu("GPU-b", compute=[(OWN, 300)]))
    records = cuda(torch, driver).memory()
    assert [(record.device, record.allocated_peak, record.process) for record in records] == [
        ("GPU-a", 10, 100),
        ("GPU-b", None, 300),
    ]


@pytest.mark.parametrize(
    ("driver", "reason"),
    [
        (without_driver(), "NVML Shared Library Not Found"),
        (nvml(FakeGpu("GPU-a", compute=[(STRANGER, 1)])), "no NVIDIA device lists a process of this test"),
    ],
)
def test_it_gives_a_reason_and_no_figure_where_no_device_is_seen(driver: Nvml, reason: str):
    (record,) = cuda(None, driver).memory()
    assert (record.allocated_peak, record.reserved_peak, record.process, record.device_used) == (None,) * 4
    assert reason in record.notes[0]


def test_it_does_not_ask_nvidias_driver_about_amd_devices():
    torch = torch_with_cuda(FakeTorchDevice(allocated=10, reserved=20), hip="6.4")
    library = FakePynvml(FakeGpu("GPU-a", compute=[(OWN, 600)]))
    (record,) = cuda(torch, nvml_over(library)).memory()
    assert (record.device, record.allocated_peak, record.process) == ("rocm:0", 10, None)
    assert record.device_used == 4 * MIB
    assert library.log == []


HOMOGENEOUS = (FakeGpu("GPU-a"), FakeGpu("GPU-b"))
MIXED = (FakeGpu("GPU-a", name="NVIDIA T4"), FakeGpu("GPU-b"), FakeGpu("GPU-c"))


@pytest.mark.parametrize(
    ("devices", "visible", "gpu"),
    [
        (HOMOGENEOUS, None, "2 x NVIDIA H200"),
        (HOMOGENEOUS, "1", "1 x NVIDIA H200"),
        (HOMOGENEOUS, "0,1,7", "2 x NVIDIA H200"),
        (HOMOGENEOUS, "0,-1,1", "1 x NVIDIA H200"),
        (HOMOGENEOUS, "", None),
        (HOMOGENEOUS, "-1", None),
        (HOMOGENEOUS, "GPU-b", "1 x NVIDIA H200"),
        (MIXED, None, "2 x NVIDIA H200, 1 x NVIDIA T4"),
        (MIXED, "GPU-a, GPU-b", "1 x NVIDIA H200, 1 x NVIDIA T4"),
        (MIXED, "0", "CUDA_VISIBLE_DEVICES=0 of 2 x NVIDIA H200, 1 x NVIDIA T4"),
        (MIXED, "-1", None),
    ],
)
def test_it_describes_the_devices_that_are_visible(devices: tuple[FakeGpu, ...], visible: str | None, gpu: str | None):
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    facts = cuda(None, nvml(*devices), **environ).facts()
    assert facts == ({} if gpu is None else {"gpu": gpu, "driver": "570.124"})


def test_it_describes_the_same_machine_whether_or_not_torch_has_started():
    driver = nvml(FakeGpu("GPU-a"))
    before = cuda(torch_with_cuda(FakeTorchDevice("a"), initialised=False), driver).facts()
    assert before == cuda(torch_with_cuda(FakeTorchDevice("a")), driver).facts() != {}


def test_it_has_no_facts_without_a_driver_and_asks_torch_where_it_runs_without_one():
    assert cuda().facts() == {}
    torch = torch_with_cuda(FakeTorchDevice(name="AMD Instinct MI300X"), FakeTorchDevice(name="AMD Instinct MI300X"))
    assert cuda(torch).facts() == {"gpu": "2 x AMD Instinct MI300X"}


def test_it_leaves_out_a_driver_version_that_cannot_be_read():
    assert cuda(None, nvml(FakeGpu("GPU-a"), driver=FakeNvmlError("Unknown"))).facts() == {"gpu": "1 x NVIDIA H200"}


@pytest.mark.gpu
def test_it_agrees_with_a_real_device():
    import torch

    member = create()
    block = torch.zeros(64 * MIB, dtype=torch.uint8, device="cuda")
    assert member.initialised()
    member.reset_peak()
    del block
    (record,) = member.memory()
    assert record.device.startswith(("GPU-", "MIG-"))
    assert record.allocated_peak is not None
    assert 64 * MIB <= record.allocated_peak < 96 * MIB
    assert record.process is not None or record.notes
    assert record.process is None or record.process > 64 * MIB


def test_its_timer_is_a_pair_of_events_on_every_device_that_was_started():
    torch = torch_with_cuda(
        FakeTorchDevice("a", milliseconds=3.0),
        FakeTorchDevice("b", context=False, milliseconds=50.0),
        FakeTorchDevice("c", milliseconds=4.0),
    )
    timer = cuda(torch).timer()
    assert timer is not None
    timer.hold(0.001)
    timer.start()
    timer.stop()
    assert torch.cuda.log == [
        "sleep 2000000 on 0",
        "sleep 2000000 on 2",
        "record 0",
        "record 2",
        "record 0",
        "record 2",
    ]
    assert timer.seconds() == 0.004
    assert torch.cuda.current == 0


def test_a_torch_that_cannot_hold_a_device_back_times_all_the_same():
    torch = torch_with_cuda(FakeTorchDevice("a", milliseconds=3.0), private=False)
    timer = cuda(torch).timer()
    assert timer is not None
    timer.hold(0.001)
    timer.start()
    timer.stop()
    assert (timer.seconds(), torch.cuda.log) == (0.003, ["record 0", "record 0"])


def test_a_torch_that_was_not_started_has_no_timer():
    assert cuda(torch_with_cuda(FakeTorchDevice("a"), initialised=False)).timer() is None


def test_it_flushes_the_cache_of_each_started_device_with_twice_its_size():
    torch = torch_with_cuda(FakeTorchDevice("a", cache=50), FakeTorchDevice("b", context=False), FakeTorchDevice("c"))
    cuda(torch).flush()
    assert torch.cuda.log == ["zero 100 x uint8 on cuda:0", f"zero {256 * MIB} x uint8 on cuda:2"]


def test_rocm_devices_are_not_swapped_nor_are_their_figures():
    torch = torch_with_cuda(
        FakeTorchDevice("a", allocated=10, reserved=20, held=7, cached=15),
        FakeTorchDevice("b", allocated=30, reserved=40, held=9, cached=35),
        hip="6.2",
    )
    seen = [
        (one.device, one.allocated, one.allocated_peak, one.reserved, one.reserved_peak) for one in cuda(torch).memory()
    ]
    assert seen == [("rocm:0", 7, 10, 15, 20), ("rocm:1", 9, 30, 35, 40)]
    assert {(one.process, one.device_used, one.device_total) for one in cuda(torch).memory()} == {
        (None, 4 * MIB, 64 * MIB)
    }

"""What the driver says, and what it cannot say: a reason, never a crash and never a zero."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from pytest_aiperf.machine.gpu_records import Device, Unavailable
from pytest_aiperf.machine.nvml import Nvml, import_pynvml, own_pids
from tests.fakes_gpu import (
    CHILD,
    INVISIBLE,
    MIB,
    OWN,
    STRANGER,
    FakeGpu,
    FakeMismatchError,
    FakeNvmlError,
    FakePynvml,
    nvml,
    nvml_over,
    without_driver,
)

UUID = "GPU-1a2b3c4d"


def test_it_asks_nothing_of_the_driver_before_the_first_question():
    library = FakePynvml(FakeGpu(UUID))
    opened = nvml_over(library)
    assert library.log == []
    opened.driver()
    opened.devices()
    assert library.log == ["init"]


def test_it_shuts_down_once_and_starts_again_when_asked_again():
    library = FakePynvml(FakeGpu(UUID))
    opened = nvml_over(library)
    opened.driver()
    opened.close()
    opened.close()
    assert library.log == ["init", "shutdown"]
    assert opened.driver() == "570.124.06"
    assert library.log == ["init", "shutdown", "init"]


def test_it_shuts_down_when_it_is_dropped():
    library = FakePynvml(FakeGpu(UUID))
    opened = nvml_over(library)
    opened.driver()
    del opened
    gc.collect()
    assert library.log == ["init", "shutdown"]


def test_it_survives_a_driver_that_went_away_before_the_shutdown():
    library = FakePynvml(FakeGpu(UUID))
    opened = nvml_over(library)
    opened.driver()
    library.lost = FakeNvmlError("GPU is lost")
    opened.close()
    assert library.log == ["init", "shutdown"]


@pytest.mark.parametrize("question", ["devices", "driver", "in_use"])
def test_it_says_that_there_is_no_driver(question: str):
    answer = getattr(without_driver(), question)()
    assert answer == Unavailable(reason="NVML cannot start: NVML Shared Library Not Found")


def test_it_tries_a_missing_driver_only_once():
    library = FakePynvml(fails=FakeNvmlError("Driver Not Loaded"))
    opened = nvml_over(library)
    opened.devices()
    opened.driver()
    assert library.log == ["init"]


def test_it_says_that_the_binding_is_missing():
    def load() -> object:
        raise ImportError("No module named 'pynvml'")

    answer = Nvml(load=load, pids=frozenset).devices()
    assert answer == Unavailable(
        reason="NVML cannot be loaded (install nvidia-ml-py): No module named 'pynvml'",
    )


def test_it_turns_a_driver_that_fails_midway_into_a_reason():
    library = FakePynvml(FakeGpu(UUID, compute=[(OWN, 500 * MIB)]))
    opened = nvml_over(library)
    assert opened.memory(UUID).process == 500 * MIB
    library.lost = FakeNvmlError("GPU is lost")
    told = opened.memory(UUID)
    assert (told.process, told.device_used) == (None, None)
    assert told.notes == ("process memory unknown: NVML: GPU is lost", "device memory unknown: NVML: GPU is lost")
    assert opened.devices() == Unavailable(reason="NVML: GPU is lost")
    assert opened.in_use() == Unavailable(reason="NVML: GPU is lost")
    assert opened.conditions() == {}


def test_it_counts_a_process_once_though_two_lists_have_it():
    told = nvml(FakeGpu(UUID, compute=[(OWN, 500 * MIB)], graphics=[(OWN, 500 * MIB)])).memory(UUID)
    assert told.process == 500 * MIB


def test_it_adds_children_and_leaves_strangers_out():
    listed = [(OWN, 500 * MIB), (CHILD, 200 * MIB), (STRANGER, 4_000 * MIB)]
    told = nvml(FakeGpu(UUID, compute=listed)).memory(UUID)
    assert told.process == 700 * MIB
    assert told.notes == ()


def test_it_finds_a_process_that_only_the_graphics_or_mps_list_has():
    told = nvml(FakeGpu(UUID, graphics=[(OWN, 30 * MIB)], mps=[(CHILD, 20 * MIB)])).memory(UUID)
    assert told.process == 50 * MIB


@pytest.mark.parametrize("failure", [FakeNvmlError("Not Supported"), FakeMismatchError("versions differ")])
def test_it_does_without_the_lists_beside_the_compute_list(failure: Exception):
    told = nvml(FakeGpu(UUID, compute=[(OWN, 7)], graphics=failure, mps=failure)).memory(UUID)
    assert told.process == 7


@pytest.mark.parametrize(
    ("compute", "reason"),
    [
        ([(STRANGER, 9)], "the driver lists no process of this test"),
        ([], "the driver lists no process of this test"),
        ([(OWN, None)], "the driver does not tell it per process"),
        ([(OWN, 5), (CHILD, None)], "the driver does not tell it per process"),
        (FakeNvmlError("Not Supported"), "NVML: Not Supported"),
        (FakeMismatchError("versions differ"), "NVML: versions differ"),
    ],
)
def test_it_never_says_zero_where_it_does_not_know(compute: object, reason: str):
    told = nvml(FakeGpu(UUID, compute=compute)).memory(UUID)
    assert told.process is None
    assert reason in told.notes[0]
    assert told.device_used == 3_000 * MIB


def test_it_takes_the_known_figure_where_another_list_has_none():
    told = nvml(FakeGpu(UUID, compute=[(OWN, None)], graphics=[(OWN, 6)])).memory(UUID)
    assert told.process == 6


def test_it_falls_back_to_memory_info_v1_and_says_what_that_includes():
    device = FakeGpu(UUID, compute=[(OWN, 1)], used=FakeNvmlError("Function Not Found"))
    told = nvml(device).memory(UUID)
    assert told.device_used == 3_500 * MIB
    assert told.notes == ("device memory includes the driver's own reserve (NVML memory info v1)",)


def test_it_does_not_guess_memory_that_is_not_supported():
    unsupported = FakeNvmlError("Not Supported")
    told = nvml(FakeGpu(UUID, compute=[(OWN, 1)], used=unsupported, used_v1=unsupported)).memory(UUID)
    assert told.device_used is None
    assert told.notes == ("device memory unknown: NVML: Not Supported",)


@pytest.mark.parametrize(
    ("asked", "found"),
    [("1a2b3c4d", UUID), (UUID, UUID), ("5e6f", "MIG-5e6f"), ("MIG-5e6f", "MIG-5e6f")],
)
def test_it_finds_devices_with_or_without_their_prefix(asked: str, found: str):
    partitioned = FakeGpu("GPU-big", instances=[None, FakeGpu("MIG-5e6f", name="H200 MIG 1g")])
    device = nvml(FakeGpu(UUID), partitioned).find(asked)
    assert isinstance(device, Device)
    assert device.uuid == found


def test_it_does_not_find_an_unknown_uuid():
    assert nvml(FakeGpu(UUID)).find("ffff") == Unavailable(reason="NVML: Not Found")


def test_it_lists_the_instances_of_a_partitioned_device_instead_of_itself():
    partitioned = FakeGpu("GPU-big", instances=[None, FakeGpu("MIG-1", name="H200 MIG 1g", compute=[(OWN, None)])])
    opened = nvml(FakeGpu(UUID), partitioned)
    devices = opened.devices()
    assert isinstance(devices, tuple)
    assert [device.uuid for device in devices] == [UUID, "MIG-1"]
    assert opened.in_use() == (Device(uuid="MIG-1", name="H200 MIG 1g"),)


def test_it_is_not_blinded_by_one_device_that_keeps_no_list():
    used = nvml(
        FakeGpu("GPU-a", compute=FakeNvmlError("Not Supported")), FakeGpu("GPU-b", compute=[(CHILD, 1)])
    ).in_use()
    assert used == (Device(uuid="GPU-b", name="NVIDIA H200"),)


def test_it_says_so_when_no_device_keeps_a_list():
    assert nvml(FakeGpu(UUID, compute=FakeNvmlError("Not Supported"))).in_use() == Unavailable(
        reason="NVML: Not Supported"
    )


def test_it_tells_what_slows_a_device_down():
    busy = FakeGpu(UUID, compute=[(OWN, 1), (STRANGER, 2)], clock=1200, throttle=0x04 | 0x40 | 0x01)
    told = {uuid: condition.text() for uuid, condition in nvml(busy).conditions().items()}
    assert told == {
        UUID: "1200 of 1980 MHz; 312 W; throttled: power cap, hardware thermal slowdown; other processes: 1"
    }
    (quiet,) = nvml(FakeGpu(UUID, milliwatts=FakeNvmlError("Not Supported"))).conditions().values()
    assert quiet.text() == "1980 of 1980 MHz; throttled: no; other processes: 0"


def test_processes_outside_of_this_container_are_nobody_elses():
    (seen,) = nvml(FakeGpu(UUID, compute=[(INVISIBLE, 1), (STRANGER, 2)])).conditions().values()
    assert seen.others == 1


def test_it_counts_energy_in_joules():
    assert nvml(FakeGpu(UUID, millijoules=1500)).joules(UUID) == 1.5
    assert nvml(FakeGpu(UUID, millijoules=FakeNvmlError("MIG"))).joules(UUID) == Unavailable(reason="NVML: MIG")


def test_it_tells_which_devices_the_driver_keeps_ready():
    asked = nvml(FakeGpu("GPU-a"), FakeGpu("GPU-b", persistent=0), FakeGpu("GPU-c", persistent=FakeNvmlError("MIG")))
    assert asked.persistence() == {"GPU-a": True, "GPU-b": False, "GPU-c": Unavailable(reason="NVML: MIG")}
    assert without_driver().persistence() == {}


def test_it_knows_the_process_and_its_children():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert {os.getpid(), child.pid} <= own_pids()


def test_it_uses_functions_that_the_real_binding_has():
    real = import_pynvml()
    names = [name for name in vars(FakePynvml) if name.startswith(("nvml", "NVML"))]
    assert [name for name in names if not hasattr(real, name)] == []
    assert not issubclass(real.NVMLLibraryMismatchError, real.NVMLError)

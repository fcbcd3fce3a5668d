"""What the driver says of the devices in use while something was timed."""

from __future__ import annotations

from pytest_aiperf.machine.nvml import NvmlConditions
from tests.fakes_gpu import OWN, STRANGER, FakeGpu, FakeNvmlError, nvml, without_driver

BUSY = FakeGpu("GPU-a", compute=[(OWN, 5), (STRANGER, 7)], clock=1200, throttle=0x40, millijoules=7_000)
IDLE = FakeGpu("GPU-b", clock=300, throttle=0x40, millijoules=9_000)


def test_only_devices_in_use_count():
    seen = NvmlConditions(nvml(IDLE, BUSY)).seen()
    assert seen.facts == {"GPU-a": "1200 of 1980 MHz; 312 W; throttled: hardware thermal slowdown; other processes: 1"}
    assert seen.disturbances == ("1 other processes on GPU-a", "GPU-a throttled: hardware thermal slowdown")
    assert (seen.megahertz, seen.watts) == (1200.0, 312.0)


def test_of_two_devices_the_slower_clock_counts_and_the_power_of_both():
    both = nvml(BUSY, FakeGpu("GPU-b", compute=[(OWN, 1)], clock=1500, milliwatts=100_000))
    seen = NvmlConditions(both).seen()
    assert (seen.megahertz, seen.watts) == (1200.0, 412.0)
    silent = nvml(BUSY, FakeGpu("GPU-b", compute=[(OWN, 1)], milliwatts=FakeNvmlError("Not Supported")))
    assert NvmlConditions(silent).seen().watts is None


def test_energy_is_that_of_the_devices_in_use():
    assert NvmlConditions(nvml(IDLE, BUSY)).joules() == 7.0
    both = NvmlConditions(nvml(BUSY, FakeGpu("GPU-b", compute=[(OWN, 1)], millijoules=9_000)))
    assert both.joules() == 16.0


def test_energy_that_one_device_does_not_count_is_unknown():
    deaf = FakeGpu("GPU-b", compute=[(OWN, 1)], millijoules=FakeNvmlError("Not Supported"))
    assert NvmlConditions(nvml(BUSY, deaf)).joules() is None


def test_in_a_container_an_only_device_is_ours():
    assert NvmlConditions(nvml(IDLE)).joules() == 9.0
    assert NvmlConditions(nvml(IDLE, FakeGpu("GPU-c"))).joules() is None


def test_a_device_that_does_not_answer_disturbs_nothing():
    seen = NvmlConditions(nvml(FakeGpu("GPU-a", compute=[(OWN, 5)], clock=FakeNvmlError("GPU is lost")))).seen()
    assert seen.facts == {"GPU-a": "unknown: NVML: GPU is lost"}
    assert seen.disturbances == ()


def test_without_a_driver_there_is_nothing_to_tell():
    seen = NvmlConditions(without_driver()).seen()
    assert (seen.facts, seen.disturbances) == ({}, ())
    assert NvmlConditions(without_driver()).joules() is None

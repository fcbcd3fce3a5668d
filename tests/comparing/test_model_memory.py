"""What one call adds to the memory of a process, or of a device."""

from __future__ import annotations

from dataclasses import replace

from pytest_aiperf.comparing.model_memory import working_memory
from pytest_aiperf.vocabulary.devices import Devices, GpuMemory
from tests.fakes import tools

MIB = 1024**2


class Process:
    """Holds 100 MiB; a call reaches a higher peak."""

    def __init__(self, *, resettable=True):
        self.resettable = resettable
        self.highest = 900 * MIB

    def reset_peak(self):
        self.highest = 100 * MIB
        return self.resettable

    def now(self):
        return 100 * MIB

    def peak(self):
        return self.highest

    def allocate(self, mib):
        self.highest = max(self.highest, (100 + mib) * MIB)


class Device:
    """Holds 10 MiB after a reset; waits before it is asked."""

    def __init__(self, held, *, runs=True):
        self.held, self.runs, self.pending, self.peak = held, runs, 0, 0

    def initialised(self):
        return self.runs

    def reset_peak(self):
        self.peak = self.held

    def wait(self):
        self.peak += self.pending

    def memory(self):
        return [GpuMemory(device="GPU-0", allocated_peak=self.peak, reserved_peak=9_999 * MIB, process=9_999 * MIB)]


def test_it_is_the_peak_above_what_was_there():
    process = Process()
    seen = working_memory(lambda: process.allocate(30), replace(tools(), memory=process))
    assert seen == 30 * MIB


def test_without_a_counter_that_restarts_it_is_unknown():
    process = Process(resettable=False)
    assert working_memory(lambda: None, replace(tools(), memory=process)) is None


def test_of_devices_it_is_what_their_allocators_add_once_they_have_finished():
    one, other, idle = Device(10 * MIB), Device(20 * MIB), Device(5 * MIB, runs=False)

    def call():
        one.pending, other.pending, idle.pending = 3 * MIB, 4 * MIB, 99 * MIB

    held = replace(tools(), devices=Devices((one, other, idle)), memory=Process())
    assert working_memory(call, held) == 7 * MIB


def test_a_device_that_cannot_say_leaves_it_unknown():
    blind = Device(0)
    blind.memory = lambda: [GpuMemory(device="GPU-0", allocated_peak=None, reserved_peak=None, process=5)]
    assert working_memory(lambda: None, replace(tools(), devices=Devices((blind,)))) is None

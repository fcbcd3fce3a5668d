"""Memory after each of many calls."""

from __future__ import annotations

from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.measuring.metrics.leak import ALLOCATOR_ONLY, DRIVER_ONLY, Soak
from pytest_aiperf.vocabulary.devices import GpuMemory
from tests.fakes import FakeMemory, tools


class Growing(FakeMemory):
    """A process whose every call takes a hundred bytes, gives most back, and keeps some."""

    def __init__(self, keeps):
        super().__init__()
        self.keeps, self.calls = keeps, 0

    def glance(self):
        return 1000 + self.keeps * self.calls + 90 * (self.calls % 10 != 0)


class Device:
    """Both the allocator's figure and the driver's, per call."""

    name = "fake"

    def __init__(self, allocated, process):
        self.each, self.calls = (allocated, process), 0

    def initialised(self):
        return True

    def wait(self):
        self.calls += 1

    def memory(self):
        allocated, process = (None if each is None else 500 + each * self.calls for each in self.each)
        return [
            GpuMemory(device="GPU-0", allocated=allocated, allocated_peak=None, reserved_peak=None, process=process)
        ]


def soaked(function=lambda: None, *, calls=40, warm_ups=5, **more):
    samples = Driver(function, tools(**more)).run((Soak(calls=calls, warm_ups=warm_ups),))
    return {sample.metric: sample for sample in samples}


def test_the_lowest_of_every_ten_counts():
    memory = Growing(keeps=1)

    def call():
        memory.calls += 1

    seen = soaked(call, memory=memory, warm_ups=10)
    assert seen.keys() == {"leak"}
    assert seen["leak"].values == (1030.0, 1040.0, 1050.0, 1060.0)
    assert memory.resets == 100, "a free heap is given back once, before the last warm-ups"


def test_on_a_device_a_leak_is_what_allocator_and_driver_both_see():
    seen = soaked(accelerators=(Device(allocated=64, process=16),))["gpu_leak"]
    growth = [later - earlier for earlier, later in zip(seen.values, seen.values[1:], strict=False)]
    assert growth == [10 * 2 * 16] * 3, "a turn waits twice"
    assert seen.notes == ()


def test_a_figure_that_is_alone_is_said_to_be():
    assert soaked(accelerators=(Device(allocated=64, process=None),))["gpu_leak"].notes == (ALLOCATOR_ONLY,)
    assert soaked(accelerators=(Device(allocated=None, process=64),))["gpu_leak"].notes == (DRIVER_ONLY,)


def test_a_device_that_tells_nothing_has_no_leak():
    assert "gpu_leak" not in soaked(accelerators=(Device(allocated=None, process=None),))

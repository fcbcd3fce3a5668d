"""The device's own time of a call: queued behind a wait, between two events."""

from __future__ import annotations

import pytest

from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.measuring.metrics import device_time
from pytest_aiperf.measuring.metrics.device_time import DeviceTime, busy_share
from tests.fakes import FakeAccelerator, FakeTimer, tools


def test_a_call_is_queued_while_the_device_is_held_back():
    clock = FakeTimer(0.003, 0.004)
    device = FakeAccelerator(clock=clock)
    driver = Driver(lambda: clock.log.append(f"call, waited {device.waits} times"), tools(accelerators=[device]))
    (sample,) = driver.run([DeviceTime(latency=0.02)])
    assert clock.log[:8] == [
        "hold 0.03005",
        "start",
        "call, waited 1 times",
        "stop",
        "hold 0.03005",
        "start",
        "call, waited 3 times",
        "stop",
    ]
    assert sample.values == (0.003, *[0.004] * 29)


def test_of_two_devices_the_one_that_works_longer_counts():
    devices = [FakeAccelerator(clock=FakeTimer(0.003)), FakeAccelerator(clock=FakeTimer(0.005))]
    (sample,) = Driver(lambda: None, tools(accelerators=devices)).run([DeviceTime(latency=1.0)])
    assert sample.values == (0.005,) * 3, "slow calls are timed a few times only"


@pytest.mark.parametrize("device", [FakeAccelerator(), FakeAccelerator(initialised=False, clock=FakeTimer(1.0))])
def test_without_a_clock_there_is_no_sample_and_no_call(device):
    calls = []
    assert Driver(lambda: calls.append(1), tools(accelerators=[device])).run([DeviceTime(latency=1.0)]) == ()
    assert calls == []


def test_the_busy_share_is_of_the_latency():
    assert busy_share([0.010, 0.012, 0.011], [0.0022, 0.0021, 0.0030]) == pytest.approx(0.2)
    assert busy_share([0.010], [0.011]) == 1.0
    assert busy_share([0.010], []) is None
    assert "busy for 20% of each call" in device_time.host_bound(0.2)


def test_caches_are_flushed_before_each_call_where_asked():
    device = FakeAccelerator(clock=FakeTimer(0.003))
    Driver(lambda: None, tools(accelerators=[device])).run([DeviceTime(latency=1.0, flush=True)])
    assert device.flushes == 3

"""All devices of a process as one, and all runtimes."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from pytest_aiperf.runtimes.frameworks.plain import Plain
from pytest_aiperf.vocabulary.contracts import Frameworks
from pytest_aiperf.vocabulary.devices import Devices, GpuMemory
from tests.fakes import FakeAccelerator

HELD = GpuMemory(device="GPU-a", allocated_peak=1, reserved_peak=2, process=3)


def test_devices_that_are_not_started_are_left_alone():
    used, unused = FakeAccelerator(memory=[HELD]), FakeAccelerator(initialised=False)
    devices = Devices((used, unused))
    devices.wait()
    devices.flush()
    devices.reset_peaks()
    assert (used.waits, used.flushes, used.resets) == (1, 1, 1)
    assert (unused.waits, unused.flushes, unused.resets) == (0, 0, 0)
    assert devices.started() == (used,)
    assert not Devices((unused,)).started()


def test_their_memory_includes_what_only_a_driver_knows():
    """A runtime that tells nothing of itself never counts as started, and its device is asked all the same."""
    unseen = FakeAccelerator(initialised=False, memory=[HELD])
    assert Devices((unseen,)).memory() == [HELD]
    assert Devices((unseen,)).started().memory() == []


class Acme(Plain):
    """A runtime that owns numbers, and notes when its gradients are off."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def owns(self, model: object) -> bool:
        return isinstance(model, int)

    @contextmanager
    def inference(self):
        self.log.append("off")
        yield
        self.log.append("on")


def test_a_model_belongs_to_the_first_runtime_that_owns_it():
    acme, plain = Acme(), Plain()
    frameworks = Frameworks((acme, plain))
    assert frameworks.of(7) is acme
    assert frameworks.of("seven") is plain


def test_gradients_are_off_in_every_runtime_and_on_again_after_an_error():
    first, second = Acme(), Acme()
    with Frameworks((first, second)).inference():
        assert (first.log, second.log) == (["off"], ["off"])
    assert (first.log, second.log) == (["off", "on"], ["off", "on"])
    with pytest.raises(ZeroDivisionError), Frameworks((Plain(),)).inference():
        raise ZeroDivisionError

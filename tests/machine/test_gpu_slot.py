"""One test at a time on a GPU, once it has room; each branch without a real one."""

from __future__ import annotations

import contextlib

import pytest

from pytest_aiperf.machine.gpu_slot import HELD_VARIABLE, GpuBusyError, GpuSlot, NoGpuError
from pytest_aiperf.vocabulary.devices import Devices
from tests.fakes import FakeAccelerator
from tests.fakes_gpu import MIB, FakeGpu, FakeNvmlError, nvml, torch_with_mps, without_driver


class World:
    """A clock that sleeping moves, and what happens while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.meanwhile = lambda: None
        self.asides = 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()

    @contextlib.contextmanager
    def aside(self):
        self.asides += 1
        yield

    def slot(self, folder, *devices: FakeGpu, environ=None, timeout: float = 10.0, **more) -> GpuSlot:
        given = {"nvml": nvml(*devices), "devices": Devices(), "modules": {}, **more}
        return GpuSlot(
            folder=folder,
            environ={} if environ is None else environ,
            timeout=timeout,
            aside=self.aside,
            clock=lambda: self.now,
            sleep=self.sleep,
            **given,
        )


def full(uuid: str, *, left: int) -> FakeGpu:
    return FakeGpu(uuid, used=(1000 - left) * MIB, total=1000 * MIB)


def test_only_one_test_at_a_time_has_a_gpu(tmp_path):
    world = World()
    with world.slot(tmp_path, full("GPU-a", left=900)).hold() as names:
        assert names == ("0",)
        with pytest.raises(GpuBusyError, match="GPU 0 was in use by another test for 0 s"):
            world.slot(tmp_path, full("GPU-a", left=900), timeout=0.0).hold().__enter__()
    with world.slot(tmp_path, full("GPU-a", left=900), timeout=0.0).hold():
        pass
    assert world.asides == 3, "others that time something can go on while one waits"


def test_workers_with_a_gpu_each_do_not_wait_for_one_another(tmp_path):
    world, devices = World(), (full("GPU-a", left=900), full("GPU-b", left=900))
    first = world.slot(tmp_path, *devices, environ={"CUDA_VISIBLE_DEVICES": "0"}, timeout=0.0)
    second = world.slot(tmp_path, *devices, environ={"CUDA_VISIBLE_DEVICES": "1"}, timeout=0.0)
    both = world.slot(tmp_path, *devices, environ={"CUDA_VISIBLE_DEVICES": "1,0"}, timeout=0.0)
    with first.hold(), second.hold(), pytest.raises(GpuBusyError):
        both.hold().__enter__()
    with both.hold() as names:
        assert names == ("0", "1")


def test_what_it_starts_does_not_wait_for_it(tmp_path):
    environ: dict[str, str] = {}
    slot = World().slot(tmp_path, full("GPU-a", left=900), environ=environ, timeout=0.0)
    with slot.hold():
        assert HELD_VARIABLE in environ
        with slot.hold(free=5000 * MIB) as names:
            assert names == ("0",)
    assert environ == {}


def test_it_waits_until_there_is_room(tmp_path):
    world, device = World(), full("GPU-a", left=100)

    def leave() -> None:
        if world.now >= 3.0:
            device.used = 0

    world.meanwhile = leave
    with world.slot(tmp_path, device).hold(free=500 * MIB):
        assert world.now == 3.0


def test_memory_that_does_not_become_free_is_told_with_its_device(tmp_path):
    world = World()
    slot = world.slot(tmp_path, full("GPU-a", left=100))
    with pytest.raises(GpuBusyError, match="500 MiB did not become free in 10 s: GPU-a has 100 MiB"):
        slot.hold(free=500 * MIB).__enter__()
    with world.slot(tmp_path, full("GPU-a", left=900)).hold():
        pass  # and its lock was given back


@pytest.mark.parametrize(
    ("chosen", "waits"), [(None, False), ("0,1", False), ("GPU-empty", False), ("GPU-full", True), ("GPU-f", True)]
)
def test_of_several_devices_those_that_are_chosen_by_uuid_need_the_room(tmp_path, chosen, waits):
    environ = {} if chosen is None else {"CUDA_VISIBLE_DEVICES": chosen}
    slot = World().slot(tmp_path, full("GPU-full", left=1), full("GPU-empty", left=999), environ=environ)
    expected = pytest.raises(GpuBusyError) if waits else contextlib.nullcontext()
    with expected, slot.hold(free=500 * MIB):
        pass


def test_a_device_that_does_not_tell_its_memory_is_not_waited_for(tmp_path):
    silent = FakeGpu("GPU-a", used=FakeNvmlError("Not Supported"), used_v1=FakeNvmlError("Not Supported"))
    with World().slot(tmp_path, silent).hold(free=500 * MIB):
        pass


def test_without_a_gpu_it_says_how_that_was_found(tmp_path):
    world = World()
    with pytest.raises(NoGpuError, match="there is no GPU here: NVML cannot start: NVML Shared Library Not Found"):
        world.slot(tmp_path, nvml=without_driver()).hold().__enter__()
    with pytest.raises(NoGpuError, match="CUDA_VISIBLE_DEVICES=-1, the driver has 1"):
        world.slot(tmp_path, full("GPU-a", left=9), environ={"CUDA_VISIBLE_DEVICES": "-1"}).hold().__enter__()


def test_a_device_that_only_torch_knows_counts(tmp_path):
    slot = World().slot(tmp_path, nvml=without_driver(), modules={"torch": torch_with_mps()})
    with slot.hold(free=500 * MIB) as names:
        assert names == ("gpu",)


def test_caches_are_emptied_before_the_next_test_looks(tmp_path):
    used, unused = FakeAccelerator(), FakeAccelerator(initialised=False)
    with World().slot(tmp_path, full("GPU-a", left=900), devices=Devices([used, unused])).hold():
        assert used.resets == 0
    assert (used.resets, unused.resets) == (1, 0)

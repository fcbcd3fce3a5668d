"""What a test leaves behind is let go, or named."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_aiperf.measuring.leftovers import Leftovers
from pytest_aiperf.vocabulary.devices import Devices, GpuMemory
from tests.fakes import FakeAccelerator

MIB = 1024**2


class TwoGpus(FakeAccelerator):
    """Two devices; `cleared` is what emptying the caches gives back of the first."""

    def __init__(self, *, initialised: bool = True, cleared: int = 0) -> None:
        super().__init__(initialised=initialised)
        self.held = {"GPU-a": 10 * MIB, "GPU-b": 10 * MIB}
        self.cleared = cleared

    def reset_peak(self) -> None:
        super().reset_peak()
        self.held["GPU-a"] -= self.cleared

    def memory(self) -> Sequence[GpuMemory]:
        return [
            GpuMemory(device=name, allocated=held, allocated_peak=900 * MIB, reserved_peak=900 * MIB, process=900 * MIB)
            for name, held in self.held.items()
        ]


def after(devices: TwoGpus, took: dict[str, int], *, fixtures: Sequence[tuple[str, str]] = ()) -> str:
    """What is told of a test that took so many bytes."""
    keeper = Leftovers(Devices([devices]))
    keeper.open()
    for name, scope in fixtures:
        keeper.set_up(name, scope)
    for name, size in took.items():
        devices.held[name] += size
    return keeper.close("test_a")


def test_what_stays_allocated_is_told_of_its_own_device():
    assert after(TwoGpus(), {"GPU-b": 64 * MIB}) == "test_a left 64.0 MiB on GPU-b"


def test_what_the_caches_give_back_is_no_remainder():
    devices = TwoGpus(cleared=64 * MIB)
    assert after(devices, {"GPU-a": 64 * MIB}) == ""
    assert devices.resets == 1


def test_workspaces_stay_without_a_word():
    assert after(TwoGpus(), {"GPU-a": MIB}) == ""


def test_a_fixture_of_a_wider_scope_keeps_what_it_took():
    assert after(TwoGpus(), {"GPU-a": 64 * MIB}, fixtures=[("model", "session")]) == ""
    assert after(TwoGpus(), {"GPU-a": 64 * MIB}, fixtures=[("model", "function")]) != ""


def test_only_the_next_test_is_charged_with_its_own():
    devices = TwoGpus()
    keeper = Leftovers(Devices([devices]))
    keeper.open()
    devices.held["GPU-a"] += 64 * MIB
    assert keeper.close("test_a") != ""
    keeper.open()
    assert keeper.close("test_b") == ""


def test_a_device_that_nobody_has_started_is_left_alone():
    devices = TwoGpus(initialised=False)
    assert after(devices, {"GPU-a": 64 * MIB}) == ""
    assert devices.resets == 0


class Place(str):
    """As torch names a device."""

    __slots__ = ()

    @property
    def type(self) -> str:
        return self.partition(":")[0]


class Tensor:
    """As torch's, on a device."""

    __module__ = "torch"

    def __init__(self, shape: tuple[int, ...], device: str) -> None:
        self.shape, self.dtype, self.nbytes = shape, "torch.float32", 4 * shape[0] * shape[1]
        self.device = Place(device)


def test_the_largest_tensors_that_stayed_are_named():
    kept = [Tensor((512, 1024), "cuda:0"), Tensor((512, 1024), "cuda:0"), Tensor((4096, 4096), "cpu")]
    told = after(TwoGpus(), {"GPU-a": 64 * MIB})
    assert told.startswith("test_a left 64.0 MiB on GPU-a: 2 x tensor (512, 1024) float32 on cuda:0")
    assert "4096" not in told
    del kept

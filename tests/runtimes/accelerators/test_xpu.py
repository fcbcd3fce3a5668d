"""Intel GPUs through torch."""

from __future__ import annotations

from pytest_aiperf.runtimes.accelerators.xpu import NO_DRIVER_FIGURE, Xpu
from pytest_aiperf.vocabulary.devices import GpuMemory
from tests.fakes_gpu import FakeTorchDevice, torch_with_xpu


def test_it_waits_for_every_device():
    torch = torch_with_xpu(FakeTorchDevice(), FakeTorchDevice())
    Xpu(modules={"torch": torch}).wait()
    assert torch.xpu.log == ["synchronize 0", "synchronize 1"]


def test_it_restarts_the_peak_after_giving_everything_back():
    torch = torch_with_xpu(FakeTorchDevice())
    Xpu(modules={"torch": torch}).reset_peak()
    assert torch.xpu.log == ["synchronize 0", "empty_cache", "reset 0"]


def test_it_tells_of_devices_that_hold_memory():
    torch = torch_with_xpu(FakeTorchDevice(), FakeTorchDevice(allocated=10, reserved=20, held=7, cached=15))
    assert Xpu(modules={"torch": torch}).memory() == [
        GpuMemory(
            device="xpu:1",
            allocated=7,
            allocated_peak=10,
            reserved=15,
            reserved_peak=20,
            process=None,
            notes=(NO_DRIVER_FIGURE,),
        )
    ]


def test_it_describes_devices_and_driver():
    torch = torch_with_xpu(FakeTorchDevice(name="Intel Arc B580"))
    assert Xpu(modules={"torch": torch}).facts() == {"gpu": "1 x Intel Arc B580", "driver": "1.6"}


def test_it_has_no_facts_without_a_device():
    assert Xpu(modules={"torch": torch_with_xpu()}).facts() == {}


def test_it_ignores_a_torch_without_xpu():
    assert not Xpu(modules={"torch": object()}).initialised()


def test_its_timer_is_a_pair_of_events_on_every_device():
    torch = torch_with_xpu(FakeTorchDevice(milliseconds=3.0), FakeTorchDevice(milliseconds=5.0))
    timer = Xpu(modules={"torch": torch}).timer()
    assert timer is not None
    timer.hold(1.0)
    timer.start()
    timer.stop()
    assert torch.xpu.log == ["record 0", "record 1", "record 0", "record 1"]
    assert timer.seconds() == 0.005
    assert Xpu(modules={"torch": torch_with_xpu(initialised=False)}).timer() is None

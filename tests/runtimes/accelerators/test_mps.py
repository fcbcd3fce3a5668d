"""Apple's GPU through torch."""

from __future__ import annotations

import pytest

from pytest_aiperf.runtimes.accelerators.mps import NO_PEAK, Mps
from pytest_aiperf.vocabulary.devices import GpuMemory
from tests.fakes_gpu import MIB, torch_with_mps


@pytest.mark.parametrize(
    ("available", "held", "started"), [(True, MIB, True), (True, 0, False), (False, 0, False), (False, MIB, False)]
)
def test_it_counts_as_started_once_metal_holds_memory(*, available: bool, held: int, started: bool):
    torch = torch_with_mps(available=available, held=held)
    member = Mps(modules={"torch": torch})
    assert member.initialised() is started
    member.wait()
    assert torch.mps.log == (["synchronize"] if started else [])


def test_it_gives_back_what_it_can_before_a_measurement():
    torch = torch_with_mps(held=MIB)
    Mps(modules={"torch": torch}).reset_peak()
    assert torch.mps.log == ["synchronize", "empty_cache"]


def test_it_says_that_there_is_no_peak():
    member = Mps(modules={"torch": torch_with_mps(held=MIB)})
    assert member.memory() == [
        GpuMemory(device="mps", allocated_peak=None, reserved_peak=None, process=MIB, notes=(NO_PEAK,))
    ]


def test_it_ignores_a_torch_without_mps():
    assert not Mps(modules={"torch": object()}).initialised()


def test_its_timer_is_a_pair_of_events():
    torch = torch_with_mps(held=MIB)
    timer = Mps(modules={"torch": torch}).timer()
    assert timer is not None
    timer.start()
    timer.stop()
    assert (torch.mps.log, timer.seconds()) == (["record 0", "record 0"], 0.007)
    assert Mps(modules={"torch": torch_with_mps()}).timer() is None

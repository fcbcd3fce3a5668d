"""Who else used the processor, on clocks that pass as told."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from pytest_aiperf.machine.load import TICK, OtherProcesses, machine_seconds, own_seconds


def section(*, seconds: float, machine: float | None, own: float, processors: int = 1) -> OtherProcesses:
    """A section of that length in which the machine and this process used so many processor seconds."""
    clock, total, mine = iter([5.0, 5.0 + seconds]), iter([100.0, machine and 100.0 + machine]), iter([7.0, 7.0 + own])
    load = OtherProcesses(
        clock=lambda: next(clock), machine=lambda: next(total), own=lambda: next(mine), processors=lambda: processors
    )
    load.start()
    return load


@pytest.mark.parametrize(
    ("seconds", "machine", "own", "share"),
    [
        (10.0, 10.0, 10.0, 0.0),
        (10.0, 15.0 + TICK, 10.0, 0.5),
        (10.0, 30.0 + TICK, 10.0, 2.0),
        (10.0, 9.0, 10.0, 0.0),
        (0.05, 0.05 + TICK, 0.05, 0.0),
        (0.05, 0.1, 0.05, 0.8),
    ],
)
def test_it_takes_the_process_off_the_machine_and_one_tick_of_doubt(
    seconds: float, machine: float, own: float, share: float
):
    assert section(seconds=seconds, machine=machine, own=own).share() == pytest.approx(share)


def test_its_share_is_one_of_all_processors():
    assert section(seconds=10.0, machine=20.0 + TICK, own=10.0, processors=64).share() == pytest.approx(1 / 64)


@pytest.mark.parametrize(("seconds", "machine"), [(10.0, None), (0.0, 1.0)])
def test_it_does_not_know_the_share_of_a_hidden_machine_or_an_empty_section(seconds: float, machine: float | None):
    assert section(seconds=seconds, machine=machine, own=0.0).share() is None


def test_it_knows_nothing_before_a_section_began():
    assert OtherProcesses(clock=lambda: 0.0, machine=lambda: 0.0, own=lambda: 0.0).share() is None


def test_it_counts_what_this_process_and_its_children_used():
    before = own_seconds()
    spun = time.process_time()
    while time.process_time() - spun < 0.05:
        pass
    own = own_seconds() - before
    assert own >= 0.05
    burn = "import time\nwhile time.process_time() < 0.2: pass\nprint('burnt', flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        running = own_seconds() - before - own
        child.communicate(b"\n")
    finished = own_seconds() - before - own
    assert running >= 0.2 - 2 * TICK
    assert finished >= running - 2 * TICK


def test_it_sees_the_machine_work_at_least_as_much_as_this_process():
    machine, own = machine_seconds(), time.process_time()
    assert machine is not None
    while time.process_time() - own < 0.2:
        pass
    after = machine_seconds()
    assert after is not None
    assert after - machine >= 0.2 - 5 * TICK

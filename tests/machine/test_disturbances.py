"""What disturbs the machine while a pair runs; everything read from fakes."""

from __future__ import annotations

import pytest

from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.machine.gpu_records import Condition, Unavailable
from pytest_aiperf.machine.load import OtherProcesses


class World:
    """A clock, counters, and files under a root."""

    def __init__(self, root):
        self.root = root
        self.now = 0.0
        self.busy = 0.0
        self.busy_per_second = 0.0
        self.conditions_now = {}
        self.set_throttled(0, 0)
        group = root / "proc/self/cgroup"
        group.parent.mkdir(parents=True)
        group.write_text("0::/\n")

    def set_throttled(self, periods, microseconds):
        file = self.root / "sys/fs/cgroup/cpu.stat"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"nr_throttled {periods}\nthrottled_usec {microseconds}\n")

    def set_ticks(self, *, idle, stolen):
        (self.root / "proc/stat").write_text(f"cpu  0 0 0 {idle} 0 0 0 {stolen} 0 0\n")

    def set_clock(self, megahertz):
        for cpu in ("cpu0", "cpu1"):
            file = self.root / f"sys/devices/system/cpu/{cpu}/cpufreq/scaling_cur_freq"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{megahertz * 1000}\n")

    def sleep(self, seconds):
        self.now += seconds
        self.busy += seconds * self.busy_per_second

    def conditions(self):
        return self.conditions_now

    def watch(self):
        return MachineWatch(
            root=self.root,
            nvml=self,
            clock=lambda: self.now,
            sleep=self.sleep,
            foreign=OtherProcesses(
                clock=lambda: self.now, machine=lambda: self.busy, own=lambda: 0.0, processors=lambda: 2
            ),
            processors=2,
        )


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def seen_after(world, change, watch=None):
    watch = watch or world.watch()
    watch.start()
    world.now += 10.0
    change()
    return watch.seen()


def test_a_quiet_machine_disturbs_nothing(world):
    assert seen_after(world, lambda: None) == ()


def test_throttling_within_the_block_disturbs_it(world):
    world.set_throttled(7, 100)
    assert seen_after(world, lambda: None) == ()
    (text,) = seen_after(world, lambda: world.set_throttled(8, 500_100))
    assert "quota throttled it for 500 ms" in text


@pytest.mark.parametrize(("seconds", "disturbed"), [(0.19, False), (0.21, True)])
def test_stolen_time_disturbs_above_two_percent(world, seconds, disturbed):
    """Per processor, of the ten seconds that two of them ran."""
    world.set_ticks(idle=1000, stolen=7)
    stolen = round(2 * seconds * 100)
    assert bool(seen_after(world, lambda: world.set_ticks(idle=3000 - stolen, stolen=7 + stolen))) is disturbed


@pytest.mark.parametrize(("megahertz", "disturbed"), [(2750, False), (2650, True)])
def test_a_clock_below_ninety_percent_of_the_usual_one_disturbs(world, megahertz, disturbed):
    watch = world.watch()
    world.set_clock(3000)
    for _ in range(3):
        assert seen_after(world, lambda: None, watch) == ()
    assert bool(seen_after(world, lambda: world.set_clock(megahertz), watch)) is disturbed


def condition(**more):
    return Condition(**{"clock_mhz": 1980, "fastest_mhz": 1980, "throttled": (), "others": 0, **more})


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (condition(), ()),
        (condition(throttled=("power cap",)), ()),
        (condition(throttled=("power cap", "power brake")), ("GPU-1 throttled: power brake",)),
        (condition(others=2), ("2 other processes on GPU-1",)),
        (Unavailable(reason="no driver"), ()),
    ],
)
def test_a_busy_or_throttled_device_disturbs(world, one, says):
    world.conditions_now = {"GPU-1": one}
    assert seen_after(world, lambda: None) == says


def test_a_device_whose_clock_fell_disturbs(world):
    watch = world.watch()
    for megahertz in (1980, 1980, 1980, 1500):
        world.conditions_now = {"GPU-1": condition(clock_mhz=megahertz)}
        seen = seen_after(world, lambda: None, watch)
    assert seen == ("the GPU-1's clock fell to 1500 MHz, usually 1980",)


def test_it_waits_until_others_leave_the_processor_alone(world):
    world.busy_per_second = 1.0

    def calm_down(seconds):
        World.sleep(world, seconds)
        if world.now > 3.0:
            world.busy_per_second = 0.0

    watch = world.watch()
    watch.sleep = calm_down
    assert watch.wait_for_quiet()
    assert 3.0 < world.now < 4.0


def test_it_does_not_wait_for_ever_and_less_and_less(world):
    world.busy_per_second = 1.0
    watch = world.watch()
    waits = []
    for _ in range(7):
        began = world.now
        assert not watch.wait_for_quiet()
        waits.append(world.now - began)
    assert waits == pytest.approx([10.0, 5.0, 2.5, 1.25, 0.75, 0.5, 0.5], abs=0.26)
    world.busy_per_second = 0.0
    assert watch.wait_for_quiet()
    world.busy_per_second = 1.0
    began = world.now
    assert not watch.wait_for_quiet()
    assert world.now - began == pytest.approx(10.0), "a machine that became quiet once is trusted again"

"""Counters of the machine before and after a short while in which nothing of ours runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_aiperf.machine import cgroup, procfs
from pytest_aiperf.machine.instruments import Machine, Process, ProcessKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What only ever grows."""

    at: float
    """Seconds of the clock."""
    ticks: tuple[int, ...]
    """The processor's time by kind, first line of /proc/stat; empty where unknown."""
    throttled: int | None
    """Periods in which the container's quota stopped it."""
    swapped_in: int | None
    """Pages."""
    processes: Mapping[ProcessKey, Process]


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """One process during the window."""

    pid: int
    name: str
    cores: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the counters did meanwhile."""

    before: Counters
    after: Counters
    foreign: float | None
    """Cores that other processes and other virtual machines used; None where unknown."""

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self.after.at - self.before.at

    def busiest(self) -> tuple[Busy, ...]:
        """Other processes by the processor time that they used, those that used none left out."""
        found = []
        for (pid, started), process in self.after.processes.items():
            known = self.before.processes.get((pid, started))
            spent = process.seconds - (known.seconds if known else 0.0)
            if spent > 0:
                found.append(Busy(pid=pid, name=process.name, cores=spent / self.seconds))
        return tuple(sorted(found, key=lambda busy: (-busy.cores, busy.pid)))


def watch(machine: Machine, seconds: float) -> Window:
    """Sleep for `seconds` and read the counters around it."""
    instruments = machine.instruments
    before = _counters(machine)
    instruments.foreign.start()
    instruments.sleep(seconds)
    share = instruments.foreign.share()
    foreign = None if share is None else share * instruments.processors()
    return Window(before=before, after=_counters(machine), foreign=foreign)


def _counters(machine: Machine) -> Counters:
    throttled = cgroup.throttled(machine.root)
    return Counters(
        at=machine.instruments.clock(),
        ticks=procfs.ticks(machine.root),
        throttled=None if throttled is None else throttled[0],
        swapped_in=procfs.counters(machine.root / "proc/vmstat").get("pswpin"),
        processes=machine.instruments.processes(),
    )

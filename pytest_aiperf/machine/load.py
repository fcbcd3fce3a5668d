"""How busy the machine was with other things."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_aiperf.machine import processor, procfs

TICK = 0.01
"""Resolution of the machine's processor times, in seconds."""


def machine_seconds() -> float | None:
    """Processor seconds that the machine has spent on anything, steal included; None where the system hides them."""
    import psutil

    try:
        times = psutil.cpu_times()
    except (OSError, ValueError, IndexError, RuntimeError):
        return None
    idle = times.idle + getattr(times, "iowait", 0.0)
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted in user and nice already
    return float(sum(times) - idle - guests)


def own_seconds() -> float:
    """Processor seconds of this process, of the children it has waited for and of those still running."""
    finished = os.times()
    seconds = time.process_time() + finished.children_user + finished.children_system
    if procfs.is_childless():
        return seconds
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # gone meanwhile
            times = child.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return float(seconds)


@dataclass(kw_only=True)
class OtherProcesses:
    """Processor time of the whole machine less that of this process and its children.

    Time stolen by other virtual machines counts as theirs. The machine's clock ticks every 10 ms, so one tick of doubt
    is taken off: the share is what others used at least, and a short section on a quiet machine shows none.
    """

    clock: Callable[[], float] = time.perf_counter
    machine: Callable[[], float | None] = machine_seconds
    own: Callable[[], float] = own_seconds
    processors: Callable[[], int] = processor.processors
    _start: tuple[float, float | None, float] | None = field(init=False, default=None)

    def start(self) -> None:
        self._start = self._read()

    def share(self) -> float | None:
        elapsed, others = self.spent()
        return None if others is None or elapsed <= 0 else max(0.0, (others - TICK) / elapsed / self.processors())

    def spent(self) -> tuple[float, float | None]:
        if self._start is None:
            return 0.0, None
        began, machine_before, own_before = self._start
        ended, machine_after, own_after = self._read()
        if machine_before is None or machine_after is None:
            return ended - began, None
        return ended - began, (machine_after - machine_before) - (own_after - own_before)

    def _read(self) -> tuple[float, float | None, float]:
        return self.clock(), self.machine(), self.own()

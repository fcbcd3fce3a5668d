"""How busy the machine was with other things, and how fast it is at this moment."""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import time
from collections.abc import Callable

NANOSECOND = 1e-9
TICK = 0.01
"""Resolution of the machine's processor times, in seconds."""

REFERENCE_ROUNDS = 45
FEWEST_ROUNDS = 9
PART_SECONDS = 0.1
"""A part that has taken this long stops at its fewest rounds: a busy machine is not kept busy longer."""
MATRIX_SIDE = 512
COPY_BYTES = 32 * 1024**2
"""Beyond the share of the last-level cache that a virtual core usually has."""
LOOP_TURNS = 60_000


class OtherProcesses:
    """Processor time of the whole machine less that of this process and its children.

    Time stolen by other virtual machines counts as theirs. The machine's clock ticks every 10 ms, so one tick of doubt
    is taken off: the share is what others used at least, and a short section on a quiet machine shows none.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.perf_counter,
        machine: Callable[[], float | None] | None = None,
        own: Callable[[], float] | None = None,
        processors: Callable[[], int] | None = None,
    ) -> None:
        self._clock = clock
        self._machine = machine or machine_seconds
        self._own = own or own_seconds
        self._processors = processors or processor_count
        self._start: tuple[float, float | None, float] | None = None

    def start(self) -> None:
        self._start = self._read()

    def share(self) -> float | None:
        elapsed, others = self.spent()
        return None if others is None or elapsed <= 0 else max(0.0, (others - TICK) / elapsed / self._processors())

    def spent(self) -> tuple[float, float | None]:
        if self._start is None:
            return 0.0, None
        began, machine_before, own_before = self._start
        ended, machine_after, own_after = self._read()
        if machine_before is None or machine_after is None:
            return ended - began, None
        return ended - began, (machine_after - machine_before) - (own_after - own_before)

    def _read(self) -> tuple[float, float | None, float]:
        return self._clock(), self._machine(), self._own()


def processor_count() -> int:
    """Logical processors of the whole machine, which its processor times speak of, whatever this process may use."""
    import psutil

    return psutil.cpu_count() or 1


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
    import psutil

    finished = os.times()
    seconds = time.process_time() + finished.children_user + finished.children_system
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # gone meanwhile
            times = child.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return float(seconds)


def reference_log_seconds(clock: Callable[[], int] = time.perf_counter_ns) -> float:
    """Mean log seconds of a matrix product, a copy through memory and a Python loop: the covariate of timings.

    Takes about 0.25 s, somewhat longer on a busy machine. `clock` gives nanoseconds.
    """
    import numpy as np

    matrix = np.linspace(0.0, 1.0, MATRIX_SIDE**2, dtype=np.float32).reshape(MATRIX_SIDE, MATRIX_SIDE)
    product = np.empty_like(matrix)
    source = np.ones(COPY_BYTES, dtype=np.uint8)
    target = np.ones(COPY_BYTES, dtype=np.uint8)
    # The loop comes last: by its end the threads of the matrix product have stopped spinning.
    parts = (
        lambda: np.matmul(matrix, matrix, out=product),
        lambda: np.copyto(target, source),
        _count,
    )
    return statistics.fmean(math.log(_median_seconds(part, clock)) for part in parts)


def _median_seconds(part: Callable[[], object], clock: Callable[[], int]) -> float:
    part()
    seconds: list[float] = []
    while len(seconds) < FEWEST_ROUNDS or (len(seconds) < REFERENCE_ROUNDS and sum(seconds) < PART_SECONDS):
        start = clock()
        part()
        seconds.append((clock() - start) * NANOSECOND)
    return max(statistics.median(seconds), NANOSECOND)


def _count() -> int:
    total = 0
    for number in range(LOOP_TURNS):
        total += number & 7
    return total

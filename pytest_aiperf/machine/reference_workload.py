"""How fast the machine is at this moment: the covariate of timings."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

NANOSECOND = 1e-9

MOST_AGE_SECONDS = 5.0
"""Tests that start within so long after a reading share it: the clocks and neighbours of a machine change slower."""
SOONEST_SECONDS = 2.0
"""A younger reading is never doubted: a machine that is always disturbed is not kept busy by readings."""
MOST_ROUNDS = 45
FEWEST_ROUNDS = 9
PART_SECONDS = 0.1
"""A part that has taken this long stops at its fewest rounds: a busy machine is not kept busy longer."""
MATRIX_SIDE = 512
COPY_BYTES = 32 * 1024**2
"""Beyond the share of the last-level cache that a virtual core usually has."""
LOOP_TURNS = 60_000


@dataclass(kw_only=True)
class ReferenceWorkload:
    """Readings of the reference workload, each shared by the tests of the next few seconds."""

    take: Callable[[], float] = field(default_factory=lambda: log_seconds)
    clock: Callable[[], float] = time.monotonic
    collect: Callable[[], object] = gc.collect
    _reading: float | None = field(init=False, default=None)
    _taken_at: float = field(init=False, default=0.0)
    _doubted: bool = field(init=False, default=False)

    def log_seconds(self) -> float:
        """The last reading where it is young enough, else a new one; nothing else of ours may run meanwhile.

        Garbage of earlier tests is collected first: neither a reading nor the tests that share it pay for it.
        """
        most = SOONEST_SECONDS if self._doubted else MOST_AGE_SECONDS
        if self._reading is None or self.clock() - self._taken_at > most:
            self.collect()
            self._reading = self.take()
            self._taken_at = self.clock()
            self._doubted = False
        return self._reading

    def doubt(self) -> None:
        """Something disturbed the machine: what is timed next has a reading of its own."""
        self._doubted = True


def log_seconds(clock: Callable[[], int] = time.perf_counter_ns) -> float:
    """Mean log seconds of a matrix product, a copy through memory and a Python loop: one reading.

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
    while len(seconds) < FEWEST_ROUNDS or (len(seconds) < MOST_ROUNDS and sum(seconds) < PART_SECONDS):
        start = clock()
        part()
        seconds.append((clock() - start) * NANOSECOND)
    return max(statistics.median(seconds), NANOSECOND)


def _count() -> int:
    total = 0
    for number in range(LOOP_TURNS):
        total += number & 7
    return total

"""How fast the machine is at this moment: the covariate of timings."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_aiperf.vocabulary.contracts import ForeignLoad
from pytest_aiperf.vocabulary.terms import DISTURBED_SHARE

NANOSECOND = 1e-9

MOST_AGE_SECONDS = 5.0
"""Tests that start within so long after a reading share it: the clocks and neighbours of a machine change slower."""
SOONEST_SECONDS = 1.0
"""A machine that is always disturbed is not kept busy by readings: for so long even a doubtful one is shared."""
TRIES = 3
"""At a reading that nobody disturbed."""
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

    foreign: ForeignLoad
    take: Callable[[], float] = field(default_factory=lambda: log_seconds)
    clock: Callable[[], float] = time.monotonic
    collect: Callable[[], object] = gc.collect
    _last: float | None = field(init=False, default=None)
    _taken_at: float = field(init=False, default=0.0)
    _doubtful: bool = field(init=False, default=False)

    def log_seconds(self) -> float:
        """The last reading where it may be shared and is young enough, else a new one."""
        most_age = SOONEST_SECONDS if self._doubtful else MOST_AGE_SECONDS
        if self._last is None or self.clock() - self._taken_at > most_age:
            return self.renew()
        return self._last

    def calm_reading(self) -> float | None:
        """A new reading that nobody disturbed; None where each of a few was: it would excuse what is slow."""
        readings = (self.renew() for _ in range(TRIES))
        return next((reading for reading in readings if not self._doubtful), None)

    def renew(self) -> float:
        """A new reading; nothing else of ours may run meanwhile. One that others disturbed is shared for less long.

        Garbage of earlier tests is collected first: neither a reading nor the tests that share it pay for it.
        """
        self.collect()
        self.foreign.start()
        reading = self.take()
        share = self.foreign.share() or 0.0
        self._taken_at = self.clock()
        self._last, self._doubtful = reading, share > DISTURBED_SHARE
        return reading

    def doubt(self) -> None:
        """Something disturbed the machine: what is timed from the next second on has a new reading."""
        self._doubtful = True


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

"""A pytest plugin for the processes of a story: a clock that a nap moves on by exactly its length, and at once.

Whatever the processor does beside it passes a thousand times faster than it is: no noise of a busy machine is seen.
"""

from __future__ import annotations

import time

REAL_SHARE = 1e-3
"""Of the time that really passes: never nothing, for what loops until some has passed."""

_real = time.perf_counter_ns
_naps = 0


def nap(seconds: float) -> None:
    """What a model does instead of working."""
    global _naps  # noqa: PLW0603 - the one clock of a process
    _naps += round(seconds * 1e9)


def _now_ns() -> int:
    return _naps + round(_real() * REAL_SHARE)


time.perf_counter_ns = _now_ns
time.perf_counter = lambda: _now_ns() * 1e-9

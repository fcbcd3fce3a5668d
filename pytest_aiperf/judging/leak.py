"""`Rule.LEAK`: the slope of the memory per call, in both halves of the calls."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from pytest_aiperf import units
from pytest_aiperf.judging.case import Case
from pytest_aiperf.metrics.leak import BLOCK
from pytest_aiperf.statistics import theil_sen
from pytest_aiperf.terms import Status, Unit
from pytest_aiperf.vocabulary import Limit, Verdict

DEFAULT = 20 * 1024.0
"""Bytes per call."""
FEWEST_BLOCKS = 20


class Answer(Enum):
    """What the memory did in the two halves."""

    LEAKS = "leaks"
    ONE_HALF = "one half"
    STEADY = "steady"
    FEW = "few"


def answer_of(lowest: Sequence[float], bound: float) -> tuple[Answer, float]:
    """The answer, and the slope in bytes per call; `lowest`: memory, one value per ten calls."""
    if len(lowest) < FEWEST_BLOCKS:
        return Answer.FEW, 0.0
    middle = len(lowest) // 2
    grows = [theil_sen(half).low / BLOCK > bound for half in (lowest[:middle], lowest[middle:])]
    slope = theil_sen(lowest).estimate / BLOCK
    if all(grows):
        return Answer.LEAKS, slope
    return (Answer.ONE_HALF if any(grows) else Answer.STEADY), slope


def row(case: Case, limit: Limit | None) -> Verdict:
    """Over the limit where the memory grows by more per call, for certain, in both halves."""
    bound = DEFAULT if limit is None else limit.bound
    lowest = case.values()
    answer, slope = answer_of(lowest, bound)
    status, reason, message = {
        Answer.LEAKS: (Status.OVER_LIMIT, "leak", f"in both halves of {len(lowest) * BLOCK} calls"),
        Answer.ONE_HALF: (Status.INCONCLUSIVE, "one_half", "it grew in one half of the calls only"),
        Answer.STEADY: (Status.PASSED, "within_limit", ""),
        Answer.FEW: (
            Status.INCONCLUSIVE,
            "few_calls",
            f"{len(lowest) * BLOCK} calls; it takes {FEWEST_BLOCKS * BLOCK} at least",
        ),
    }[answer]
    if answer is Answer.ONE_HALF:
        grown = units.text(max(lowest) - min(lowest), Unit.BYTES)
        message = f"{message}, by {grown} in all: a cache that fills?"
    return case.row(
        status,
        reason,
        message=message,
        now=slope,
        limit=bound,
        limit_source=f"max_leak_kb({bound / 1024:g}) (default)" if limit is None else limit.source,
    )

"""`Rule.LEAK`: the slope of the memory per call, in both halves of the calls."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from statistics import median

from pytest_aiperf.judging.case import Case
from pytest_aiperf.judging.statistics import theil_sen
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.records import Limit, Verdict
from pytest_aiperf.vocabulary.terms import Status, Unit

DEFAULT = Limit(metric="leak", bound=20 * 1024.0, source="max_leak_kb(20) (default)")
FEWEST_BLOCKS = 20


class Answer(Enum):
    """What the memory did in the two halves."""

    LEAKS = "leaks"
    OPEN = "open"
    STEADY = "steady"
    FEW = "few"


def answer_of(lowest: Sequence[float], bound: float, *, calls: int) -> tuple[Answer, float]:
    """The answer, and the slope in bytes per call; `lowest`: memory, one value for so many `calls`."""
    if len(lowest) < FEWEST_BLOCKS:
        return Answer.FEW, 0.0
    middle = len(lowest) // 2
    grows = [theil_sen(half).low / calls > bound for half in (lowest[:middle], lowest[middle:])]
    whole = theil_sen(lowest)
    if all(grows):
        return Answer.LEAKS, whole.estimate / calls
    # What grows in few large steps shows it over all calls before it does in each half of them, or only from end to
    # end. One step may be a cache that is filled once: whether there is another one, more calls have to say.
    end = len(lowest) // 5
    rise = (median(lowest[-end:]) - median(lowest[:end])) / (len(lowest) - end)
    is_open = any(grows) or max(whole.low, rise) / calls > bound
    return (Answer.OPEN if is_open else Answer.STEADY), whole.estimate / calls


def against_limit(case: Case, limit: Limit) -> Verdict:
    """Over the limit where the memory grows by more per call, for certain, in both halves."""
    lowest = case.values()
    calls = case.samples[0].calls_per_value
    answer, slope = answer_of(lowest, limit.bound, calls=calls)
    grown = units.text(max(lowest) - min(lowest), Unit.BYTES)
    open_message = f"it did not grow in both halves of the calls, by {grown} in all: a cache that fills?"
    few_message = f"{len(lowest) * calls} calls; it takes {FEWEST_BLOCKS * calls} at least"
    status, reason, message = {
        Answer.LEAKS: (Status.OVER_LIMIT, "leak", f"in both halves of {len(lowest) * calls} calls"),
        Answer.OPEN: (Status.INCONCLUSIVE, "not_steadily", open_message),
        Answer.STEADY: (Status.PASSED, "within_limit", ""),
        Answer.FEW: (Status.INCONCLUSIVE, "few_calls", few_message),
    }[answer]
    return case.limited(status, reason, limit, message=message, now=slope)

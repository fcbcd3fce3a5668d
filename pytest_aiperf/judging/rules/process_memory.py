"""`Rule.PROCESS_MEMORY`: noise only adds to a peak, so the smallest of several fresh processes speaks."""

from __future__ import annotations

from functools import partial
from statistics import median

from pytest_aiperf.judging.case import Case
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.records import Interval, Limit, Verdict
from pytest_aiperf.vocabulary.terms import Evidence, Origin, Status

NEGLIGIBLE = 8 * 1024.0**2
ENOUGH_PROCESSES = 5
"""Three suspicious ones, and two more that agree."""
ENOUGH_FOR_LIMIT = 2
WILD_SESSIONS = 15
"""One in so many may have been high by chance: of so many, the highest is no bound."""
_NOISY = "within noise of the limit; the median decided"


def against_baseline(case: Case, base: float) -> Verdict:
    """Passed at the first fresh process that is not suspicious; regressed where five agree."""
    stored = sorted(session.values[case.metric.name] for session in case.sessions())
    highest = stored[-1 - len(stored) // WILD_SESSIONS]
    fresh = case.values(Origin.FRESH)
    margin = case.margins.max_memory_growth
    if not fresh:
        message = "process memory is compared in fresh processes only"
        alone = case.row(
            Status.INCONCLUSIVE, "unconfirmed", message=message, now=case.now(), baseline=base, limit=margin
        )
        return case.unconfirmed(Evidence.FRESH_MEMORY, alone)
    now = median(fresh)
    row = partial(case.row, now=now, baseline=base, worse_by=_growth(fresh, base), limit=margin)
    smallest = case.metric.negligible or NEGLIGIBLE
    if max(fresh) < stored[0] and base - now > max(margin * base, smallest):
        return row(Status.IMPROVED, "smaller")
    if not (min(fresh) > highest and now - base > max(margin * base, smallest)):
        return row(Status.PASSED, "within_margin")
    if len(fresh) >= ENOUGH_PROCESSES:
        message = f"the smallest of {len(fresh)} fresh processes is above every session"
        return row(Status.REGRESSED, "larger", message=message)
    processes = units.counted(len(fresh), "fresh process", "fresh processes")
    message = f"larger in {processes}; {ENOUGH_PROCESSES} must agree"
    if case.final:
        return row(Status.INCONCLUSIVE, "too_few_processes", message=message)
    return case.unconfirmed(Evidence.FRESH_MEMORY, row(Status.REGRESSED, "larger", message=message))


def against_limit(case: Case, limit: Limit) -> Verdict:
    """This process may pass a limit; only fresh ones may fail it."""
    here, fresh = case.values(Origin.IN_PROCESS), case.values(Origin.FRESH)
    passed_here = bool(here) and max(here) <= limit.bound
    now = median(fresh) if fresh and not passed_here else max(here)
    if now <= limit.bound:
        noisy = bool(fresh) and not passed_here and max(fresh) > limit.bound
        return case.limited(Status.PASSED, "within_limit", limit, message=_NOISY if noisy else "", now=now)
    if len(fresh) >= ENOUGH_FOR_LIMIT and min(fresh) > limit.bound:
        return case.as_it_is(limit, now=now)
    if not fresh or (not case.final and len(fresh) < ENOUGH_PROCESSES):
        message = "over the limit in too few processes: only fresh ones count"
        return case.unconfirmed(Evidence.FRESH_MEMORY, case.as_it_is(limit, now=now, message=message))
    return case.as_it_is(limit, now=now, message="in the only fresh process" if len(fresh) == 1 else _NOISY)


def _growth(fresh: tuple[float, ...], base: float) -> Interval:
    """The smallest and the largest value bracket the median with probability 1 - 2^(1 - n)."""
    return Interval(
        low=min(fresh) / base - 1,
        mid=median(fresh) / base - 1,
        high=max(fresh) / base - 1,
        confidence=1 - 2.0 ** (1 - len(fresh)),
    )

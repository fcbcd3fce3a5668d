"""`Rule.EXACT`: counters without noise; GPU ones are polluted by earlier tests, so fresh processes confirm them."""

from __future__ import annotations

from pytest_aiperf.judging.case import Case
from pytest_aiperf.vocabulary.records import Interval, Limit, Verdict
from pytest_aiperf.vocabulary.terms import Better, Evidence, Need, Origin, Status

NEGLIGIBLE = 1024.0**2


def against_baseline(case: Case) -> Verdict:
    """Regressed where it grew by more than the margin and by more than 1 MiB."""
    base = case.stored()
    if base is None:
        raise ValueError("a case without a stored value is not comparable")
    now, confirmed = _figure(case)
    grown = base - now if case.metric.better is Better.HIGHER else now - base
    margin = case.margins.max_size_growth
    smallest = case.metric.negligible or NEGLIGIBLE
    share = grown / abs(base) if base else None
    worse_by = None if share is None else Interval(low=share, mid=share, high=share, confidence=1.0)

    def row(status: Status, reason: str, message: str = "") -> Verdict:
        return case.row(status, reason, message=message, now=now, baseline=base, worse_by=worse_by, limit=margin)

    notable = abs(grown) > margin * abs(base) and abs(grown) > smallest
    if not notable:
        return row(Status.PASSED, "within_margin")
    if grown < 0:
        return row(Status.IMPROVED, "smaller")
    if not confirmed:
        return case.unconfirmed(
            Evidence.FRESH_MEMORY, row(Status.REGRESSED, "larger", "larger here; a fresh process has to say")
        )
    return row(Status.REGRESSED, "larger")


def against_limit(case: Case, limit: Limit) -> Verdict:
    """Compared as it is, once a fresh process has confirmed what this one blames."""
    now, confirmed = _figure(case)

    def row(status: Status, reason: str, message: str = "") -> Verdict:
        return case.row(status, reason, message=message, now=now, limit=limit.bound, limit_source=limit.source)

    if not case.is_worse(now, limit.bound):
        return row(Status.PASSED, "within_limit")
    if confirmed:
        return row(Status.OVER_LIMIT, "over_limit")
    if case.final:
        return row(Status.OVER_LIMIT, "over_limit", "not confirmed in a fresh process")
    return case.unconfirmed(
        Evidence.FRESH_MEMORY, row(Status.OVER_LIMIT, "over_limit", "over the limit here; a fresh process has to say")
    )


def _figure(case: Case) -> tuple[float, bool]:
    """The figure that counts, and whether it may fail a test: the best of the fresh ones, else this process's."""
    best = max if case.metric.better is Better.HIGHER else min
    worst = min if case.metric.better is Better.HIGHER else max
    if fresh := case.values(Origin.FRESH):
        return best(fresh), True
    return worst(case.values()), case.metric.needs is not Need.GPU

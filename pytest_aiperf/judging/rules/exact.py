"""`Rule.EXACT`: counters without noise; GPU ones are polluted by earlier tests, so fresh processes confirm them."""

from __future__ import annotations

from functools import partial

from pytest_aiperf.judging.case import Case
from pytest_aiperf.vocabulary.records import Interval, Limit, Verdict
from pytest_aiperf.vocabulary.terms import Better, Evidence, Need, Origin, Status

NEGLIGIBLE = 1024.0**2


def against_baseline(case: Case, base: float) -> Verdict:
    """Regressed where it grew by more than the margin and by more than 1 MiB."""
    now, confirmed = _figure(case)
    grown = base - now if case.metric.better is Better.HIGHER else now - base
    margin = case.margins.max_size_growth
    share = grown / abs(base) if base else None
    worse_by = None if share is None else Interval(low=share, mid=share, high=share, confidence=1.0)
    row = partial(case.row, now=now, baseline=base, worse_by=worse_by, limit=margin)
    if abs(grown) <= max(margin * abs(base), case.metric.negligible or NEGLIGIBLE):
        return row(Status.PASSED, "within_margin")
    if grown < 0:
        return row(Status.IMPROVED, "smaller")
    if not confirmed:
        message = "larger here; a fresh process has to say"
        return case.unconfirmed(Evidence.FRESH_MEMORY, row(Status.REGRESSED, "larger", message=message))
    return row(Status.REGRESSED, "larger")


def against_limit(case: Case, limit: Limit) -> Verdict:
    """Compared as it is, once a fresh process has confirmed what this one blames."""
    now, confirmed = _figure(case)
    if confirmed or case.final:
        return case.as_it_is(limit, now=now, message="" if confirmed else "not confirmed in a fresh process")
    row = case.as_it_is(limit, now=now, message="over the limit here; a fresh process has to say")
    return row if row.status is Status.PASSED else case.unconfirmed(Evidence.FRESH_MEMORY, row)


def _figure(case: Case) -> tuple[float, bool]:
    """The figure that counts, and whether it may fail a test: the best of the fresh ones, else this process's."""
    best, worst = (max, min) if case.metric.better is Better.HIGHER else (min, max)
    if fresh := case.values(Origin.FRESH):
        return best(fresh), True
    return worst(case.values()), case.metric.needs is not Need.GPU

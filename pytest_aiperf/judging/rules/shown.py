"""`Rule.SHOWN`: reported, never compared with a baseline; a limit is compared as it is."""

from __future__ import annotations

from pytest_aiperf.judging.case import Case
from pytest_aiperf.vocabulary.records import Limit, Verdict
from pytest_aiperf.vocabulary.terms import Status


def against_limit(case: Case, limit: Limit) -> Verdict:
    """Compare the figure itself."""
    row = case.as_it_is(limit)
    if row.status is Status.OVER_LIMIT and (why := next((sample.void for sample in case.samples if sample.void), "")):
        return case.limited(Status.INCONCLUSIVE, "not_reproducible", limit, message=why, now=row.now)
    return row

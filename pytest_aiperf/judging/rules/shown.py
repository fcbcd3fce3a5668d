"""`Rule.SHOWN`: reported, never compared with a baseline; a limit is compared as it is."""

from __future__ import annotations

from pytest_aiperf.judging.case import Case
from pytest_aiperf.vocabulary.records import Limit, Verdict
from pytest_aiperf.vocabulary.terms import Status


def against_limit(case: Case, limit: Limit) -> Verdict:
    """Compare the figure itself."""
    over = case.is_worse(case.now(), limit.bound)
    if over and (why := next((sample.void for sample in case.samples if sample.void), "")):
        return case.row(
            Status.INCONCLUSIVE,
            "not_reproducible",
            message=why,
            now=case.now(),
            limit=limit.bound,
            limit_source=limit.source,
        )
    return case.row(
        Status.OVER_LIMIT if over else Status.PASSED,
        "over_limit" if over else "within_limit",
        now=case.now(),
        limit=limit.bound,
        limit_source=limit.source,
    )

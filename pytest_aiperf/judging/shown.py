"""`Rule.SHOWN`: reported, never compared with a baseline; a limit is compared as it is."""

from __future__ import annotations

from pytest_aiperf.judging.case import Case
from pytest_aiperf.terms import Status
from pytest_aiperf.vocabulary import Limit, Verdict


def against_limit(case: Case, limit: Limit) -> Verdict:
    """Compare the figure itself."""
    over = case.is_worse(case.now(), limit.bound)
    return case.row(
        Status.OVER_LIMIT if over else Status.PASSED,
        "over_limit" if over else "within_limit",
        now=case.now(),
        limit=limit.bound,
        limit_source=limit.source,
    )

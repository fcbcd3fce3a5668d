"""A candidate beside its reference model: the latency of both in turns, and the speed-up that follows."""

from __future__ import annotations

import math
from dataclasses import replace

from pytest_aiperf.judging.case import Case
from pytest_aiperf.judging.rules import paired
from pytest_aiperf.judging.sequential import LOOKS, look
from pytest_aiperf.vocabulary.pairing import Block, Pairing
from pytest_aiperf.vocabulary.records import Limit, Verdict
from pytest_aiperf.vocabulary.terms import Evidence, Status

LATENCY = "latency"


def against_limit(case: Case, limit: Limit) -> Verdict:
    """The estimate decides, and only that of fresh processes fails; a bound inside its interval is said to be so."""
    pairing = _pairing(case)
    logs = paired.differences(_blocks(pairing, LATENCY), LATENCY, share=paired.ESTIMATOR)
    if len(logs) < LOOKS[0]:
        return case.row(Status.INCONCLUSIVE, "disturbed", message=f"{len(logs)} undisturbed pairs", limit=limit.bound)
    seen = look(logs)
    low, mid, high = (math.exp(-one) for one in (seen.best, seen.estimate, seen.low))
    inside = low < limit.bound <= high
    over = mid < limit.bound
    row = case.row(
        Status.OVER_LIMIT if over else Status.PASSED,
        "over_limit" if over else "within_limit",
        message=f"[{low:.2f}, {high:.2f}] in {seen.pairs} pairs{': the bound is within noise' if inside else ''}",
        now=mid,
        limit=limit.bound,
        limit_source=limit.source,
    )
    if not over or pairing.blocks:
        return row
    if pairing.failure is not None:
        return replace(
            row,
            status=Status.INCONCLUSIVE,
            reason="not_compared",
            message=pairing.failure,
            fails=case.policy.inconclusive_fails,
        )
    return case.unconfirmed(Evidence.MODEL_PAIRS, row)


def _blocks(pairing: Pairing, metric: str) -> list[Block]:
    """Those of fresh processes; until there are any, those of the test's own."""
    return [block for block in pairing.blocks or pairing.screen if paired.fewest_values(block, metric)]


def row(case: Case) -> Verdict:
    """A candidate against its reference: turns in one process may pass it, only fresh processes fail it."""
    pairing = _pairing(case)
    if pairing.blocks or pairing.failure is not None:
        return paired.decided(
            case, pairing, paired.blocks_of(case, pairing), percentile=None, more=Evidence.MODEL_PAIRS
        )
    row = paired.decided(case, pairing, _blocks(pairing, case.metric.name), percentile=None, more=Evidence.MODEL_PAIRS)
    if row.status in (Status.PASSED, Status.IMPROVED):
        return replace(row, notes=(*row.notes, "both models in one process"))
    return case.unconfirmed(Evidence.MODEL_PAIRS, row)


def _pairing(case: Case) -> Pairing:
    if case.measurement.pairing is None:
        raise ValueError("a comparison always has its turns")
    return case.measurement.pairing

"""A candidate beside its reference model: the latency of both in turns, and the speed-up that follows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from pytest_aiperf.judging.block_differences import ESTIMATOR, differences, fewest_values
from pytest_aiperf.judging.case import Case
from pytest_aiperf.judging.rules import paired
from pytest_aiperf.judging.sequential import ENOUGH, look
from pytest_aiperf.vocabulary.pairing import REFERENCE_MODEL, Arm, Block, Pairing, Speed
from pytest_aiperf.vocabulary.records import Limit, Verdict
from pytest_aiperf.vocabulary.terms import Evidence, Status


def against_limit(case: Case, limit: Limit) -> Verdict:
    """The estimate decides, and only that of fresh processes fails; a bound inside its interval is said to be so."""
    pairing = case.measurement.pairing or Pairing(against=REFERENCE_MODEL)
    followed = case.metric.follows
    speed = speed_of(_blocks(pairing, followed), followed)
    noisy = speed.low < limit.bound <= speed.high
    if speed.pairs < 2 or (noisy and speed.pairs < ENOUGH):  # noqa: PLR2004 - one difference has no spread
        row = case.limited(Status.INCONCLUSIVE, "disturbed", limit, message=f"{speed.pairs} undisturbed pairs")
        closed = case.final or pairing.ended or pairing.failure is not None
        return row if closed else case.unconfirmed(Evidence.MODEL_PAIRS, row)
    inside = ": the bound is within noise" if noisy else ""
    over = speed.speedup < limit.bound
    status, reason = (Status.OVER_LIMIT, "over_limit") if over else (Status.PASSED, "within_limit")
    message = f"[{speed.low:.2f}, {speed.high:.2f}] in {speed.pairs} pairs{inside}"
    row = case.limited(status, reason, limit, message=message, now=speed.speedup)
    if not over or pairing.blocks:
        return row
    if pairing.failure is not None:
        return case.limited(Status.INCONCLUSIVE, "not_compared", limit, message=pairing.failure, now=speed.speedup)
    return case.unconfirmed(Evidence.MODEL_PAIRS, row)


def _blocks(pairing: Pairing, metric: str) -> list[Block]:
    """Those of fresh processes; until there are any, those of the test's own."""
    return [block for block in pairing.blocks or pairing.screen if fewest_values(block, metric)]


def row(case: Case) -> Verdict:
    """A candidate against its reference: turns in one process may pass it, only fresh processes fail it."""
    pairing = case.measurement.pairing or Pairing(against=REFERENCE_MODEL)
    compared = bool(pairing.blocks) or pairing.failure is not None
    blocks = paired.blocks_of(case, pairing) if compared else _blocks(pairing, case.metric.name)
    row = paired.decided(case, pairing, blocks, percentile=None, more=Evidence.MODEL_PAIRS)
    if compared:
        return row
    if row.status.is_pass:
        return replace(row, notes=(*row.notes, "both models in one process"))
    return case.unconfirmed(Evidence.MODEL_PAIRS, row)


def speed_of(blocks: Sequence[Block], metric: str) -> Speed:
    """The estimate and its interval; of less than two undisturbed pairs the estimate alone, between 0 and infinity."""
    seconds = [[value for block in blocks for value in block.values_of(arm, metric)] for arm in Arm]
    if not all(seconds):
        return Speed()
    old, new = map(median, seconds)
    logs = differences(blocks, metric, share=ESTIMATOR)
    if len(logs) < 2:  # noqa: PLR2004 - one difference has no spread
        undisturbed = [replace(block, disturbances=()) for block in blocks]
        every = differences(undisturbed, metric, share=ESTIMATOR)
        estimate, low, high = math.exp(-median(every)) if every else math.nan, 0.0, math.inf
    else:
        seen = look(logs)
        estimate, low, high = (math.exp(-shift) for shift in (seen.estimate, seen.best, seen.low))
    return Speed(speedup=estimate, low=low, high=high, pairs=len(logs), reference_seconds=old, candidate_seconds=new)

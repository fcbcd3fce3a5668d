"""Limits on times: judged on what a fresh run would show, not on a lucky sample."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pytest_aiperf.judging.case import Case, pooled, slowdown, words
from pytest_aiperf.judging.screen import SCREENED
from pytest_aiperf.judging.statistics import (
    Prediction,
    at_least,
    at_most,
    fewest_samples,
    independent_share,
    predict_run,
)
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.records import Limit, Sample, Verdict
from pytest_aiperf.vocabulary.terms import MEDIAN, Better, Evidence, Origin, Status

PASS_RISK = 0.05
"""Chance that so few values beyond the limit are luck: at most this to pass."""
FAIL_RISK = 0.005
"""Chance that so many values beyond the limit are bad luck: at most this to fail."""
ENOUGH_PROCESSES = 3
"""Fresh processes after which an open percentile stays open."""
_PROCESSES = {Evidence.FRESH_TIMING: (1, 1), Evidence.FRESH_LOAD: (3, 5)}
"""Fresh processes after which the median may be clear, and after which it has to be."""
_ALONE = "not confirmed in a fresh process"


def against_time_limit(case: Case, limit: Limit) -> Verdict:
    """A limit on the median, or on another percentile, of values per call."""
    if limit.percentile not in (None, MEDIAN):
        return _against_percentile(case, limit)
    runs = case.calm(case.samples) or case.samples
    here, fresh = (
        [case.metric.middle(sample.values) for sample in runs if sample.origin is origin] for origin in Origin
    )
    return _against_median(case, limit, here=here, fresh=fresh, needs=Evidence.FRESH_TIMING)


def against_load_limit(case: Case, limit: Limit) -> Verdict:
    """A limit on the median of one value per fresh process."""
    if not (fresh := case.values(Origin.FRESH)):
        row = _row(case, limit, Status.INCONCLUSIVE, "unconfirmed", now=case.now(), message=_ALONE)
        return case.unconfirmed(Evidence.FRESH_LOAD, row)
    return _against_median(case, limit, here=(), fresh=fresh, needs=Evidence.FRESH_LOAD)


def _against_median(
    case: Case, limit: Limit, *, here: Sequence[float], fresh: Sequence[float], needs: Evidence
) -> Verdict:
    """Decide at once where a few fresh processes leave no doubt, at last where there are enough."""
    fewest, enough = _PROCESSES[needs]
    runs = [case.worse_log(value) for value in (*here, *fresh)]
    over = predict_run(runs, case.history(), prior=case.prior)
    now, bound = case.from_worse_log(over.shift), case.worse_log(limit.bound)
    over = Prediction(shift=over.shift - bound, sd=over.sd, freedom=over.freedom)
    if over.high(SCREENED) <= 0:
        return _row(case, limit, Status.PASSED, "within_limit", now=now)
    confirmed = any(case.is_worse(value, limit.bound) for value in fresh)
    if over.low(SCREENED) > 0 and confirmed and (len(fresh) >= fewest or case.final):
        return _row(case, limit, Status.OVER_LIMIT, "over_limit", now=now)
    if not case.final and len(fresh) < enough:
        message = f"{words(slowdown(over, SCREENED))} of the limit; a fresh process has to say"
        return case.unconfirmed(needs, _row(case, limit, Status.PASSED, "", now=now, message=message))
    message = f"within noise of the limit ({words(slowdown(over, SCREENED))}); the median decided"
    if over.shift <= 0:
        return _row(case, limit, Status.PASSED, "within_limit", now=now, message=message)
    if confirmed:
        return _row(case, limit, Status.OVER_LIMIT, "over_limit", now=now, message=message)
    if not fresh:
        return _row(case, limit, Status.OVER_LIMIT, "over_limit", now=now, message=_ALONE)
    message = "over the limit in this process, below it in every fresh one: something before this test slows it down"
    return _row(case, limit, Status.INCONCLUSIVE, "not_confirmed", now=now, message=message)


def _against_percentile(case: Case, limit: Limit) -> Verdict:
    """The binomial rule for `percentile` <= bound; fresh samples decide where there are any."""
    percentile = limit.percentile or MEDIAN
    fresh = case.of(Origin.FRESH)
    samples = case.calm(fresh) or fresh or case.samples
    now = _percentile(case, samples, percentile)
    count, over = _independent(case, samples, limit.bound)
    share = 1 - percentile / 100
    if at_most(math.ceil(over), count, share) <= PASS_RISK:
        return _row(case, limit, Status.PASSED, "within_limit", now=now)
    is_over = at_least(math.floor(over), count, share) <= FAIL_RISK
    if is_over and (fresh or case.final):
        message = "" if fresh else _ALONE
        return _row(case, limit, Status.OVER_LIMIT, "over_limit", now=now, message=message)
    needed = fewest_samples(percentile)
    seen = f"{over:.3g} of {count} independent calls beyond the limit"
    few = count < needed
    message = f"{seen}; p{percentile:g} needs {needed} of them" if few else f"{seen}: within noise"
    if case.final or len(fresh) >= ENOUGH_PROCESSES:
        reason = "too_few_samples" if few else "within_noise"
        return _row(case, limit, Status.INCONCLUSIVE, reason, now=now, message=message)
    return case.unconfirmed(Evidence.FRESH_TIMING, _row(case, limit, Status.PASSED, "", now=now, message=message))


def _independent(case: Case, samples: tuple[Sample, ...], bound: float) -> tuple[int, float]:
    """How many values count as independent, and how many of those lie beyond the bound."""
    count = over = 0.0
    for sample in samples:
        share = independent_share(sample.values)
        count += share * len(sample.values)
        over += share * sum(case.is_worse(value, bound) for value in sample.values)
    return max(1, math.floor(count + 1e-9)), over


def _percentile(case: Case, samples: tuple[Sample, ...], percentile: float) -> float:
    rank = 100 - percentile if case.metric.better is Better.HIGHER else percentile
    return float(np.percentile(pooled(samples), rank))


def _row(case: Case, limit: Limit, status: Status, reason: str, *, now: float, message: str = "") -> Verdict:
    return case.limited(status, reason, limit, message=message, now=now, notes=_disturbances(case))


def _disturbances(case: Case) -> tuple[str, ...]:
    """Limits are judged on a disturbed machine too; the row says so."""
    if case.calm(case.samples):
        return ()
    shares = [sample.foreign_share for sample in case.samples if sample.foreign_share is not None]
    if case.measurement.disturbances:
        return case.measurement.disturbances
    share = units.share(max(shares, default=0.0))
    return (f"other processes used {share} of the processors meanwhile",) if shares else ()

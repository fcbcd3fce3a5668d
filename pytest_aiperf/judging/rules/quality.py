"""`Rule.QUALITY`: example by example on a fixed test set; one number only by a tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import numpy as np
from scipy import special

from pytest_aiperf.judging.case import Case
from pytest_aiperf.judging.statistics import mid_p, needed_examples, paired_t, tango
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.example_values import as_kept, rounded
from pytest_aiperf.vocabulary.records import Interval, Limit, Verdict
from pytest_aiperf.vocabulary.terms import Better, Status, Unit

FAIL_RISK = 0.005
LARGE = 0.05
"""Five points: a larger loss of few examples needs less proof, a larger gain is more often a leak than real."""
LEAK_RISK = 0.0002
"""Chance that so large a gain is luck. With the losses' risks, 0.5 % of unchanged models fail at most."""
FEW = 50
"""With more examples, McNemar's test sees every large loss, however many answers flip."""
LUCK_RISK = 0.002
LUCKY_FLIPS = 0.10
"""Share of the examples that may change its answer with nothing changed; more is no fixed test set."""
HINT = 0.05
"""McNemar's p that a large loss on few examples needs beside that: four of four newly wrong have it, three have not."""
LEAK = "a gain this large is more often a leak than a better model"
_ROUNDING = 1e-9
"""0.938 - 0.928 is a little above 0.01."""


def against_baseline(case: Case, stored: float) -> Verdict:
    """Regressed where the loss exceeds the margin and chance does not explain it."""
    held = case.portable()
    examples = held.examples if held is not None else None
    values = as_kept(case.values())
    if examples is None or len(examples) == len(values) == 1:
        note = (
            "one number each: only a tolerance could be applied"
            if len(values) == 1
            else "the baseline has no examples: only the means could be compared, with a tolerance"
        )
        return _by_tolerance(case, stored, note)
    if len(examples) != len(values):
        return case.row(
            Status.INCONCLUSIVE,
            "other_examples",
            fails=case.policy.new_fails or case.policy.inconclusive_fails,
            message=f"{len(values)} examples now, {len(examples)} in the baseline",
            remedy=case.update("renew"),
            now=case.now(),
            baseline=stored,
            limit=_margin(case, stored),
        )
    sign = 1 if case.metric.better is Better.HIGHER else -1
    losses = [sign * (old - new) for old, new in zip(examples, values, strict=True)]
    base = fmean(examples)
    if not any(losses):
        return case.row(Status.PASSED, "identical", now=base, baseline=base, limit=_margin(case, base))
    summed_up = _of_flips if {*examples, *values} <= {0.0, 1.0} else _of_differences
    loss, gain = summed_up(losses), summed_up([-loss for loss in losses])
    row = partial(case.row, now=fmean(values), baseline=base, worse_by=loss.worse_by, limit=_margin(case, base))
    if _is_large_gain(case, loss.worse_by.mid) and gain.p < LEAK_RISK:
        message, remedy = _leaks(case)
        return row(Status.ANOMALOUS, "too_good", message=f"{loss.seen}; {message}", remedy=remedy)
    if case.drop is not None and case.drop.population:
        status, reason, message = _generalised(case, loss, _margin(case, base))
    else:
        status, reason, message = _tested(case, loss, gain, _margin(case, base))
    return row(status, reason, message=message)


def against_limit(case: Case, limit: Limit) -> Verdict:
    """The mean itself: a limit on a fixed test set has no noise."""
    count = len(case.values())
    return case.as_it_is(limit, message=f"mean of {count} examples" if count > 1 else "")


def most_luck(wrong: int, right: int, count: int) -> float:
    """P(as many more turn wrong than right, or even more) where `LUCKY_FLIPS` of `count` examples change by luck.

    For more newly wrong ones than newly right ones.
    """
    net = wrong - right
    changed = np.arange(net, count + 1)
    chance = special.bdtr(changed, count, LUCKY_FLIPS) - special.bdtr(changed - 1, count, LUCKY_FLIPS)
    return float((chance * special.bdtrc((changed + net + 1) // 2 - 1, changed, 0.5)).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loss:
    """What the examples lost, and how sure that is. A gain is a loss below zero."""

    worse_by: Interval
    seen: str
    p: float
    changed: float
    """Share of the examples that are not as they were."""
    squares: float
    """Mean square of the losses: of right and wrong examples the same share."""
    beyond_luck: str = ""
    """Why it is more than luck, as the end of a sentence."""
    most: float
    """Upper end of what the loss may be in the population these examples come from, confidence 95 %."""
    least: float
    """Lower end, confidence 99.5 %."""

    @property
    def is_certain(self) -> bool:
        return self.p < FAIL_RISK or bool(self.beyond_luck)


def _of_flips(losses: Sequence[float]) -> _Loss:
    """McNemar's mid-p test on right and wrong examples; of few examples also what luck could do at most."""
    wrong, right, count = sum(loss > 0 for loss in losses), sum(loss < 0 for loss in losses), len(losses)
    low, high = tango(wrong, right, count)
    p = mid_p(wrong, right)
    return _Loss(
        worse_by=Interval(low=low, mid=(wrong - right) / count, high=high, confidence=0.95),
        seen=f"{wrong} newly wrong, {right} newly right",
        p=p,
        changed=(wrong + right) / count,
        squares=(wrong + right) / count,
        beyond_luck=_beyond_luck(wrong, right, count, p),
        most=tango(wrong, right, count, confidence=0.90)[1],
        least=tango(wrong, right, count, confidence=0.99)[0],
    )


def _beyond_luck(wrong: int, right: int, count: int, p: float) -> str:
    """Why a loss is none of luck although McNemar's test, which knows nothing of `count`, cannot say so; or nothing."""
    if count > FEW or (wrong - right) / count <= LARGE + _ROUNDING or not FAIL_RISK <= p < HINT:
        return ""
    if most_luck(wrong, right, count) >= LUCK_RISK:
        return ""
    return f"; of {count} examples, more than luck even if {LUCKY_FLIPS * 100:g} % change by themselves"


def _of_differences(losses: Sequence[float]) -> _Loss:
    """Student's t on graded scores."""
    result = paired_t(losses)
    return _Loss(
        worse_by=Interval(low=result.low, mid=result.mean, high=result.high, confidence=0.95),
        seen=f"{sum(loss > 0 for loss in losses)} of {len(losses)} examples worse",
        p=result.p,
        changed=fmean(loss != 0 for loss in losses),
        squares=fmean(loss**2 for loss in losses),
        most=paired_t(losses, confidence=0.90).high,
        least=paired_t(losses, confidence=0.99).low,
    )


_Answer = tuple[Status, str, str]
"""Status, reason and message."""


def _tested(case: Case, loss: _Loss, gain: _Loss, margin: float) -> _Answer:
    mid = loss.worse_by.mid
    if mid > margin + _ROUNDING:
        if loss.is_certain:
            return Status.REGRESSED, "worse", f"{loss.seen}, {_p(loss.p)}{loss.beyond_luck}"
        return Status.INCONCLUSIVE, "few_examples", _what_it_would_take(case, loss, margin)
    if -mid > margin + _ROUNDING and gain.is_certain:
        return Status.IMPROVED, "better", f"{loss.seen}, {_p(gain.p)}{gain.beyond_luck}"
    return Status.PASSED, "within_margin", ""


def _generalised(case: Case, loss: _Loss, margin: float) -> _Answer:
    """Passed where the loss is proven to be below the margin for examples like these, not only on them."""
    mid = loss.worse_by.mid
    if loss.most < margin:
        return (Status.IMPROVED, "better", "") if loss.worse_by.high < 0 else (Status.PASSED, "within_margin", "")
    if loss.least > 0 and mid > margin + _ROUNDING:
        return Status.REGRESSED, "worse", f"{loss.seen}, {_p(loss.p)}"
    most = units.points(-loss.most)
    needed = f", about {needed_examples(loss.squares, margin - mid)} could" if mid < margin else ""
    message = f"{loss.seen}: {len(case.values())} examples leave {most} possible{needed}"
    return Status.INCONCLUSIVE, "few_examples", message


def _what_it_would_take(case: Case, loss: _Loss, margin: float) -> str:
    share = units.share(loss.changed)
    cannot = f"{loss.seen}, {_p(loss.p)}: {len(case.values())} examples of which {share} changed cannot tell"
    return f"{cannot}, about {needed_examples(loss.squares, margin)} could" if margin > 0 else cannot


def _by_tolerance(case: Case, base: float, note: str) -> Verdict:
    now = rounded(case.now())
    loss = base - now if case.metric.better is Better.HIGHER else now - base
    margin = _margin(case, base)
    status, reason, message, remedy = Status.PASSED, "within_margin", "", ""
    if loss > margin + _ROUNDING:
        status, reason = Status.REGRESSED, "worse"
    elif -loss > margin + _ROUNDING:
        status, reason = Status.IMPROVED, "better"
        message, remedy = _leaks(case) if _is_large_gain(case, loss) else ("", "")
    return case.row(
        status,
        reason,
        message=message,
        remedy=remedy,
        now=now,
        baseline=base,
        worse_by=Interval(low=loss, mid=loss, high=loss, confidence=0.0),
        limit=margin,
        notes=(note,),
    )


def _margin(case: Case, base: float) -> float:
    """The largest allowed loss: points of a fraction, a share of any other number (a perplexity has no points)."""
    margin = case.margins.accuracy_margin if case.drop is None else case.drop.bound
    return max(margin if case.metric.unit is Unit.FRACTION else margin * abs(base), case.metric.negligible)


def _is_large_gain(case: Case, loss: float) -> bool:
    """A comparison of two models has nothing to store: its margin says how large a gain is meant."""
    large = LARGE if case.measurement.reference is None else max(LARGE, case.margins.accuracy_margin)
    return case.metric.unit is Unit.FRACTION and -loss > large + _ROUNDING


def _leaks(case: Case) -> tuple[str, str]:
    """Message and remedy of a gain that is too large."""
    if case.measurement.reference is None:
        return LEAK, case.update("if it is real, store it")
    return f"{LEAK}; if it is real, compare with a margin= above it", ""


def _p(p: float) -> str:
    return f"p = {p:.5f}" if p >= 1e-5 else "p < 0.00001"  # noqa: PLR2004 - as many digits as anybody reads

"""`Rule.QUALITY`: example by example on a fixed test set; one number only by a tolerance."""

from __future__ import annotations

from statistics import fmean

from pytest_aiperf import units
from pytest_aiperf.judging.case import Case
from pytest_aiperf.statistics import mid_p, needed_examples, paired_t, tango
from pytest_aiperf.terms import Better, Status, Unit
from pytest_aiperf.vocabulary import Interval, Limit, Verdict

FAIL_RISK = 0.005
TOO_GOOD = 0.05
"""A gain of more than 5 points is more often a leak or a bug than a better model."""
_ROUNDING = 1e-9
"""0.938 - 0.928 is a little above 0.01."""


def against_baseline(case: Case) -> Verdict:
    """Regressed where the loss exceeds the margin and chance does not explain it."""
    stored = case.stored()
    if stored is None:
        raise ValueError("a case without a stored value is not comparable")
    examples = case.baseline.portable[case.metric.name].examples if case.baseline and case.metric.portable else None
    values = case.values()
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
            message=f"{len(values)} examples now, {len(examples)} in the baseline; renew: {case.update_command()}",
            now=case.now(),
            baseline=stored,
            limit=_margin(case, stored),
        )
    sign = 1 if case.metric.better is Better.HIGHER else -1
    losses = [sign * (old - new) for old, new in zip(examples, values, strict=True)]
    base = fmean(examples)
    if not any(losses):
        return case.row(Status.PASSED, "identical", now=case.now(), baseline=base, limit=_margin(case, base))
    if {*examples, *values} <= {0.0, 1.0}:
        return _by_flips(case, base, losses)
    return _by_differences(case, base, losses)


def against_limit(case: Case, limit: Limit) -> Verdict:
    """The mean itself: a limit on a fixed test set has no noise."""
    over = case.is_worse(case.now(), limit.bound)
    count = len(case.values())
    return case.row(
        Status.OVER_LIMIT if over else Status.PASSED,
        "over_limit" if over else "within_limit",
        message=f"mean of {count} examples" if over and count > 1 else "",
        now=case.now(),
        limit=limit.bound,
        limit_source=limit.source,
    )


def _by_flips(case: Case, base: float, losses: list[float]) -> Verdict:
    """McNemar's mid-p test on right and wrong examples."""
    wrong, right = sum(loss > 0 for loss in losses), sum(loss < 0 for loss in losses)
    count = len(losses)
    low, high = tango(wrong, right, count)
    worse_by = Interval(low=low, mid=(wrong - right) / count, high=high, confidence=0.95)
    seen = f"{wrong} newly wrong, {right} newly right"
    return _tested(case, base, worse_by, p=mid_p(wrong, right), p_gain=mid_p(right, wrong), seen=seen, losses=losses)


def _by_differences(case: Case, base: float, losses: list[float]) -> Verdict:
    """Student's t on graded scores."""
    result = paired_t(losses)
    worse_by = Interval(low=result.low, mid=result.mean, high=result.high, confidence=0.95)
    seen = f"{sum(loss > 0 for loss in losses)} of {len(losses)} examples worse"
    return _tested(case, base, worse_by, p=result.p, p_gain=1 - result.p, seen=seen, losses=losses)


def _tested(
    case: Case, base: float, worse_by: Interval, *, p: float, p_gain: float, seen: str, losses: list[float]
) -> Verdict:
    margin = _margin(case, base)

    def row(status: Status, reason: str, message: str = "") -> Verdict:
        return case.row(status, reason, message=message, now=case.now(), baseline=base, worse_by=worse_by, limit=margin)

    if _too_good(case, worse_by.mid):
        return row(Status.ANOMALOUS, "too_good", f"{seen}: a gain this large is more often a leak than a better model")
    if worse_by.mid > margin + _ROUNDING:
        if p < FAIL_RISK:
            return row(Status.REGRESSED, "worse", f"{seen}, {_p(p)}")
        changed = sum(loss != 0 for loss in losses) / len(losses)
        flips = fmean(loss**2 for loss in losses)
        message = f"{seen}, {_p(p)}: {len(losses)} examples of which {units.percent(changed).lstrip('+')} changed"
        message += f" cannot tell, about {needed_examples(flips, margin)} could" if margin > 0 else " cannot tell"
        return row(Status.INCONCLUSIVE, "few_examples", message)
    if -worse_by.mid > margin + _ROUNDING and p_gain < FAIL_RISK:
        return row(Status.IMPROVED, "better", f"{seen}, {_p(p_gain)}")
    return row(Status.PASSED, "within_margin")


def _by_tolerance(case: Case, base: float, note: str) -> Verdict:
    loss = base - case.now() if case.metric.better is Better.HIGHER else case.now() - base
    margin = _margin(case, base)
    status, reason, message = Status.PASSED, "within_margin", ""
    if _too_good(case, loss):
        status, reason, message = Status.ANOMALOUS, "too_good", "more often a leak than a better model"
    elif loss > margin + _ROUNDING:
        status, reason = Status.REGRESSED, "worse"
    elif -loss > margin + _ROUNDING:
        status, reason = Status.IMPROVED, "better"
    return case.row(
        status,
        reason,
        message=message,
        now=case.now(),
        baseline=base,
        worse_by=Interval(low=loss, mid=loss, high=loss, confidence=0.0),
        limit=margin,
        notes=(note,),
    )


def _margin(case: Case, base: float) -> float:
    """The largest allowed loss: points of a fraction, a share of any other number (a perplexity has no points)."""
    margin = case.margins.accuracy_margin
    return max(margin if case.metric.unit is Unit.FRACTION else margin * abs(base), case.metric.negligible)


def _too_good(case: Case, loss: float) -> bool:
    return case.metric.unit is Unit.FRACTION and -loss > TOO_GOOD + _ROUNDING


def _p(p: float) -> str:
    return f"p = {p:.5f}" if p >= 1e-5 else "p < 0.00001"  # noqa: PLR2004 - as many digits as anybody reads

"""Before any statistic: whether the values mean anything, and whether the baseline is one of the same thing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from pytest_aiperf.judging.case import Case
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.records import Sample, Verdict
from pytest_aiperf.vocabulary.terms import Rule, Status

_NEVER_BELOW_ZERO = frozenset({Rule.EXACT, Rule.PROCESS_MEMORY})


def unusable(case: Case, empty: Sequence[Sample]) -> tuple[Verdict, ...] | None:
    """The rows of values that nothing can be decided on; None where the rules may go on.

    `empty` are the metric's samples without values. No row at all where nobody expected the metric.
    """
    notes = tuple(dict.fromkeys(note for sample in empty for note in sample.notes))
    expected = bool(case.limits) or (case.metric.rule is not Rule.SHOWN and case.stored() is not None)
    if deaths := [sample.failure for sample in empty if sample.failure]:
        return (_refused(case, Status.ANOMALOUS, "child_failed", deaths[0], fails=expected),)
    if not case.samples:
        need = case.metric.needs
        required = need is not None and need.value in case.policy.required
        if not expected and not required:
            return ()
        message = f"could not be measured here{': ' + '; '.join(notes) if notes else ''}"
        return (_refused(case, Status.UNMEASURED, "unmeasurable", message, fails=required),)
    values = case.values()
    if wrong := sum(not math.isfinite(value) for value in values):
        message = f"{wrong} of {len(values)} values {'is' if wrong == 1 else 'are'} not finite"
        return (_refused(case, Status.ANOMALOUS, "not_finite", message, fails=True),)
    if case.metric.rule.is_timed and min(values) <= 0:
        message = f"a value of {min(values):g}: nothing is that fast or slow"
        return (_refused(case, Status.ANOMALOUS, "not_positive", message, fails=True),)
    if case.metric.rule in _NEVER_BELOW_ZERO and min(values) < 0:
        return (_refused(case, Status.ANOMALOUS, "negative", f"a size of {min(values):g}", fails=True),)
    return None


def not_comparable(case: Case) -> Verdict | None:
    """The row that says why there is nothing to compare with; None where there is."""
    baseline, now = case.baseline, case.now()
    new = partial(case.row, Status.NEW, fails=case.policy.new_fails, now=now)
    unknown = partial(case.row, Status.INCONCLUSIVE, now=now)
    if baseline is None and case.measurement.reference is None:
        return new("no_baseline", message="no baseline", remedy=case.update("record one"))
    if _never_stored(case):
        message = f"the baseline has no {case.metric.title}"
        return new("no_baseline_for_metric", message=message, remedy=case.update("record it"))
    if baseline is not None and len({baseline.source, case.measurement.source} - {None}) > 1:  # known, and not one
        return unknown(
            "stale_source",
            fails=case.policy.new_fails or case.policy.inconclusive_fails,
            baseline=case.stored(),
            message="the test's source changed since the baseline",
            remedy=case.update("renew"),
        )
    if case.metric.portable or baseline is None:
        return None
    if not baseline.sessions:
        others = units.counted(baseline.other_classes, "other class", "other classes")
        message = f"no sessions on this machine class ({case.environment.key}), {others} known"
        return unknown("other_machine", message=message, remedy=case.update("record some here"))
    if not case.sessions():
        message = "every stored session of this machine class was disturbed"
        return unknown("disturbed_baseline", message=message, remedy=case.update("record one"))
    if case.metric.rule is not Rule.EXACT and not case.stored():
        return unknown("zero_baseline", baseline=0.0, message="nothing can be compared with 0")
    return None


def file_notes(case: Case) -> tuple[str, ...]:
    """Says which model files are not those of the baseline; nothing where either side knows none."""
    stored, now = (case.baseline.files if case.baseline else {}), case.measurement.files
    if not stored or not now:
        return ()
    names = [name for name in sorted({*stored, *now}) if stored.get(name) != now.get(name)]
    if not names:
        return ()
    return (f"model file{'s' if len(names) > 1 else ''} {', '.join(names)} changed since the baseline",)


def _never_stored(case: Case) -> bool:
    name, baseline = case.metric.name, case.baseline
    if case.metric.portable or baseline is None:
        return case.portable() is None
    if baseline.sessions:
        return not any(name in session.values for session in baseline.sessions)
    return baseline.other_classes == 0


def _refused(case: Case, status: Status, reason: str, message: str, *, fails: bool) -> Verdict:
    limit = case.limits[0] if case.limits else None
    return case.row(
        status,
        reason,
        message=message,
        fails=fails,
        baseline=case.stored(),
        limit=limit.bound if limit else None,
        limit_source=limit.source if limit else None,
    )

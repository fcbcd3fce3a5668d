"""Measurement, baseline and limits to verdicts: pure, nothing but its arguments counts (docs/statistics.md)."""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_aiperf.judging import memory_notes, missing, statistics, time_limits, validity
from pytest_aiperf.judging.case import Case
from pytest_aiperf.judging.history import history_of, last_level, undisturbed_sessions
from pytest_aiperf.judging.rules import exact, leak, load_time, paired, process_memory, quality, shown, speedup, time
from pytest_aiperf.vocabulary.baseline import Baseline
from pytest_aiperf.vocabulary.records import Criteria, Environment, Limit, Margins, Measurement, Verdict
from pytest_aiperf.vocabulary.terms import MEDIAN, Metric, Rule, Status, Unit

TIMER_RESOLUTION = clock.get_clock_info("perf_counter").resolution
FEWEST_SESSIONS = 3
"""Sessions below which a variance is little but luck."""
OUT_OF_MEMORY = "out of memory"

_BY_HISTORY = {Rule.TIME: time.against_baseline, Rule.LOAD_TIME: load_time.against_baseline}
_BY_VALUE = {
    Rule.EXACT: exact.against_baseline,
    Rule.PROCESS_MEMORY: process_memory.against_baseline,
    Rule.QUALITY: quality.against_baseline,
}
_AGAINST_LIMIT = {
    Rule.TIME: time_limits.against_time_limit,
    Rule.LOAD_TIME: time_limits.against_load_limit,
    Rule.EXACT: exact.against_limit,
    Rule.PROCESS_MEMORY: process_memory.against_limit,
    Rule.QUALITY: quality.against_limit,
    Rule.SPEEDUP: speedup.against_limit,
    Rule.SHOWN: shown.against_limit,
    Rule.LEAK: leak.against_limit,
}


def verdicts(
    measurements: Sequence[Measurement],
    criteria: Criteria,
    *,
    metrics: Mapping[str, Metric],
    environment: Environment,
    final: bool,
) -> tuple[Verdict, ...]:
    """All of one test: every row of every label, and one for each limit on what nothing measured."""
    rows = [
        row
        for measurement in measurements
        for row in judge(measurement, criteria, metrics=metrics, environment=environment, final=final)
    ]
    if all(measurement.out_of_memory is None for measurement in measurements):  # else the test did not get any further
        rows += missing.unmatched(measurements, criteria.limits, metrics)
    return tuple(_recorded(row) for row in rows if row.reason != "gone") if criteria.stores else tuple(rows)


def judge(
    measurement: Measurement,
    criteria: Criteria,
    *,
    metrics: Mapping[str, Metric],
    environment: Environment,
    final: bool,
    timer_resolution: float = TIMER_RESOLUTION,
) -> tuple[Verdict, ...]:
    """Every row of one measurement, in the order of its samples.

    `final` says that nothing more can be measured; otherwise suspicions come back with `needs`, and fail nothing.
    """
    known, margins = measurement.metrics(metrics), criteria.margins
    if measurement.accuracy_margin is not None:
        margins = replace(margins, accuracy_margin=measurement.accuracy_margin)
    baseline = criteria.baselines.get(measurement.label) if measurement.reference is None else None
    measured = {sample.metric for sample in measurement.samples if sample.values}
    own = [limit for limit in criteria.limits if limit.label in (None, measurement.label)]
    limits = with_defaults(own, criteria.default_limits, measured)
    rows = [_anomalous(measurement, anomaly, "anomaly") for anomaly in measurement.anomalies]
    if measurement.out_of_memory is not None:
        rows.append(_anomalous(measurement, measurement.out_of_memory, OUT_OF_MEMORY))
    for name in dict.fromkeys(sample.metric for sample in measurement.samples):
        samples = [sample for sample in measurement.samples if sample.metric == name]
        held = [limit for limit in limits if limit.metric in (name, known[name].limited_as)]
        case = Case(
            metric=known[name],
            measurement=measurement,
            samples=tuple(sample for sample in samples if sample.values),
            baseline=baseline,
            limits=tuple(limit for limit in held if not limit.drop),
            drop=next((limit for limit in held if limit.drop), None),
            margins=margins,
            policy=criteria.policy,
            prior=statistics.prior_variance(criteria.suite_variance),
            environment=environment,
            timer_resolution=timer_resolution,
            final=final,
        )
        refused = validity.unusable(case, [sample for sample in samples if not sample.values])
        rows += [_with_reasons(case, row) for row in _rows(case)] if refused is None else refused
    return (*rows, *missing.gone(measurement, baseline, known, criteria.policy))


def with_defaults(limits: Sequence[Limit], defaults: Iterable[Limit], measured: Iterable[str]) -> tuple[Limit, ...]:
    """The limits of one label, and each default whose metric was measured under it and has no limit of its own."""
    own = {(limit.metric, limit.percentile) for limit in limits if not limit.drop}
    seen = set(measured)
    return (
        *limits,
        *(limit for limit in defaults if limit.metric in seen and (limit.metric, limit.percentile) not in own),
    )


def _recorded(verdict: Verdict) -> Verdict:
    """While storing, a missing or foreign baseline is no news, and a better accuracy is stored however good it is."""
    if verdict.status is Status.NEW or (verdict.status is Status.INCONCLUSIVE and verdict.reason == "other_machine"):
        return replace(verdict, status=Status.PASSED, reason="recorded", message="", remedy="", fails=False)
    if verdict.reason == "too_good":
        return replace(verdict, status=Status.IMPROVED, remedy="", fails=False)
    return verdict


def _anomalous(measurement: Measurement, message: str, title: str) -> Verdict:
    return Verdict(
        label=measurement.label,
        metric="anomaly",
        title=title,
        unit=Unit.NUMBER,
        status=Status.ANOMALOUS,
        reason=title.replace(" ", "_"),
        message=message,
        fails=True,
    )


def session_variance(baseline: Baseline, metric: Metric) -> float | None:
    """Variance of log values between a test's sessions; None where there are fewer than three."""
    sessions = last_level(undisturbed_sessions(baseline, metric), metric, Margins())
    history = history_of([(session,) for session in sessions], metric, with_covariate=True)
    return history.variance if history is not None and history.count >= FEWEST_SESSIONS else None


def _rows(case: Case) -> list[Verdict]:
    """The rows of one metric: one where everything passes, else one for everything that does not."""
    if case.metric.rule is Rule.LEAK:
        return [leak.against_limit(case, limit) for limit in case.limits or (leak.DEFAULT,)]
    median_limits = [limit for limit in case.limits if limit.percentile in (None, MEDIAN)]
    of_median = [_AGAINST_LIMIT[case.metric.rule](case, limit) for limit in median_limits]
    if case.metric.rule not in (Rule.SHOWN, Rule.SPEEDUP):
        of_median.insert(0, _compared(case))
    others = [_AGAINST_LIMIT[case.metric.rule](case, limit) for limit in case.limits if limit not in median_limits]
    return [*_merged(of_median), *others, *paired.tails(case)]


def _with_reasons(case: Case, row: Verdict) -> Verdict:
    """Next to a bad figure stands why it is bad, where that was found."""
    if row.status.is_pass:
        return row
    name, is_new = case.metric.name, row.status is Status.NEW
    phases, lines = ((), ()) if is_new else (memory_notes.phases(case), memory_notes.told(case))
    return replace(
        row,
        notes=(*row.notes, *case.measurement.breakdown.get(name, ()), *phases),
        reasons=(*case.measurement.reasons.get(name, ()), *lines),
    )


def _compared(case: Case) -> Verdict:
    """Against the reference model of a comparison; else against what is stored, or old code in pairs."""
    if case.measurement.reference is not None and case.metric.rule is Rule.TIME:
        return speedup.row(case)
    stored = validity.not_comparable(case) or _noting_changes(case, _against_baseline(case))
    return paired.row(case, stored)


def _against_baseline(case: Case) -> Verdict:
    stored, history = case.stored(), case.history()
    if case.metric.rule in _BY_HISTORY and history is not None:
        return _BY_HISTORY[case.metric.rule](case, history)
    if stored is not None:
        return _BY_VALUE[case.metric.rule](case, stored)
    raise ValueError(f"{case.metric.name} has nothing that it could be compared with")


def _merged(rows: Sequence[Verdict]) -> list[Verdict]:
    """One row where all pass, with the bound that the user wrote; else each row that does not pass."""
    if not rows:
        return []
    first, *limited = rows
    bound = next((row for row in limited if row.status.is_pass), None)
    if first.status.is_pass or first.limit is None:
        first = _with_bound(first, bound)
    failing = [row for row in limited if not row.status.is_pass]
    if first.status.is_pass and not failing:
        return [first]
    informed = [replace(row, baseline=first.baseline, worse_by=first.worse_by) for row in failing]
    told_enough = first.status.is_pass or (first.status is Status.NEW and not first.fails)
    return informed if failing and told_enough else [first, *informed]


def _with_bound(row: Verdict, bound: Verdict | None) -> Verdict:
    if bound is None or row.limit_source is not None:
        return row
    return replace(
        row,
        limit=bound.limit,
        limit_source=bound.limit_source,
        message=row.message or bound.message,
        notes=tuple(dict.fromkeys((*row.notes, *bound.notes))),
    )


def _noting_changes(case: Case, row: Verdict) -> Verdict:
    """A replaced model file is what a test judges; the row says so, and which sessions no longer count."""
    return replace(row, notes=(*row.notes, *validity.file_notes(case), *case.level_notes()))

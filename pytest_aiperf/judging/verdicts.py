"""All verdicts of one test from what was measured and what it is judged by; the same again from a stored run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_aiperf.judging import judge, missing
from pytest_aiperf.vocabulary.records import Criteria, Environment, Limit, Margins, Measurement, Verdict
from pytest_aiperf.vocabulary.terms import Metric, Status


def verdicts(
    measurements: Sequence[Measurement],
    criteria: Criteria,
    *,
    metrics: Mapping[str, Metric],
    environment: Environment,
    final: bool,
) -> tuple[Verdict, ...]:
    """Every row of every label, and one for each limit on what nothing measured."""
    rows: list[Verdict] = []
    for measurement in measurements:
        rows += judge.judge(
            measurement,
            criteria.baselines.get(measurement.label) if measurement.reference is None else None,
            metrics=metrics,
            limits=_limits(criteria, measurement),
            margins=_margins(measurement, criteria),
            policy=criteria.policy,
            suite_variance=criteria.suite_variance,
            environment=environment,
            final=final,
        )
    if all(measurement.out_of_memory is None for measurement in measurements):  # else the test did not get any further
        rows += missing.unmatched(measurements, criteria.limits, metrics)
    return tuple(_recorded(row) for row in rows if row.reason != "gone") if criteria.stores else tuple(rows)


def _margins(measurement: Measurement, criteria: Criteria) -> Margins:
    if measurement.accuracy_margin is None:
        return criteria.margins
    return replace(criteria.margins, accuracy_margin=measurement.accuracy_margin)


def _limits(criteria: Criteria, measurement: Measurement) -> tuple[Limit, ...]:
    measured = {sample.metric for sample in measurement.samples if sample.values}
    own = [limit for limit in criteria.limits if limit.label in (None, measurement.label)]
    return with_defaults(own, criteria.default_limits, measured)


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

"""What nothing measured: metrics that only the baseline has, limits that no measurement matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_aiperf.judging.case import update_command
from pytest_aiperf.vocabulary.baseline import Baseline
from pytest_aiperf.vocabulary.records import Limit, Measurement, Policy, Verdict
from pytest_aiperf.vocabulary.terms import Metric, Rule, Status, Unit


def gone(
    measurement: Measurement, baseline: Baseline | None, metrics: Mapping[str, Metric], policy: Policy
) -> tuple[Verdict, ...]:
    """One row per metric that the baseline has and nothing measured now; figures that are only shown do not count.

    Memory, on a GPU or off, is not measured everywhere nor in every run: such a row fails where it is required.
    """
    if baseline is None:
        return ()
    latest = baseline.sessions[-1].values if baseline.sessions else {}
    measured = {sample.metric for sample in measurement.samples}
    stored = {**latest, **{name: value.value for name, value in baseline.portable.items()}}
    return tuple(
        _gone(measurement, name, value, metrics.get(name), policy)
        for name, value in sorted(stored.items())
        if name not in measured and not (name in metrics and metrics[name].rule is Rule.SHOWN)
    )


def _gone(measurement: Measurement, name: str, value: float, metric: Metric | None, policy: Policy) -> Verdict:
    need = metric.needs if metric else None
    why = "has a baseline and was not measured"
    return Verdict(
        label=measurement.label,
        metric=name,
        title=metric.title if metric else name,
        unit=metric.unit if metric else Unit.NUMBER,
        status=Status.UNMEASURED,
        reason="unmeasurable" if need else "gone",
        message=f"{why} in this run" if need else f"{why}: renamed, or no longer asked for",
        remedy="" if need else f"renew: {update_command(measurement.test)}",
        baseline=value,
        fails=need.value in policy.required if need else policy.new_fails,
    )


def unmatched(
    measurements: Sequence[Measurement], limits: Sequence[Limit], metrics: Mapping[str, Metric]
) -> tuple[Verdict, ...]:
    """One failing row per limit that no measurement of the test has a sample for, not even an empty one."""
    return tuple(
        Verdict(
            label=limit.label or "",
            metric=limit.metric,
            title=metrics[limit.metric].title if limit.metric in metrics else limit.metric,
            unit=metrics[limit.metric].unit if limit.metric in metrics else Unit.NUMBER,
            status=Status.UNMEASURED,
            reason="never_measured",
            message=f"the test never measured what {limit.source} limits: {_remedy(limit, metrics.get(limit.metric))}",
            limit=limit.bound,
            limit_source=limit.source,
            fails=True,
        )
        for limit in limits
        if not any(_matches(limit, measurement) for measurement in measurements)
    )


def _matches(limit: Limit, measurement: Measurement) -> bool:
    if limit.label is not None and limit.label != measurement.label:
        return False
    return any(sample.metric == limit.metric for sample in measurement.samples)


def _remedy(limit: Limit, metric: Metric | None) -> str:
    by = metric.measured_by if metric else f"aiperf.score(..., name={limit.metric!r})"
    label = f" with label={limit.label!r}" if limit.label is not None else ""
    return f"call {by}{label}, or drop the marker"

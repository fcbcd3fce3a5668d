"""Measurements, baselines and seeded machines for the tests of the verdicts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from pytest_aiperf.judging.judge import judge
from pytest_aiperf.measuring.metrics import (
    accuracy,
    cpu_memory,
    gpu_memory,
    latency,
    leak,
    load_time,
    model_size,
    throughput,
)
from pytest_aiperf.vocabulary.baseline import Allocations, Baseline, PortableValue, Session
from pytest_aiperf.vocabulary.records import Criteria, Environment, Limit, Margins, Measurement, Policy, Sample
from pytest_aiperf.vocabulary.terms import Better, Metric, Origin, Rule, Unit

MIB = 1024.0**2
TEST = "tests/test_net.py::test_net"
GPU = replace(gpu_memory.ALLOCATED, title="GPU peak")
PERPLEXITY = Metric(
    name="perplexity",
    title="perplexity",
    unit=Unit.NUMBER,
    better=Better.LOWER,
    rule=Rule.QUALITY,
    portable=True,
)
METRICS = {
    metric.name: metric
    for metric in (
        *latency.METRICS,
        *throughput.METRICS,
        *load_time.METRICS,
        *cpu_memory.METRICS,
        *model_size.METRICS,
        *accuracy.METRICS,
        *leak.METRICS,
        GPU,
    )
}
HERE = Environment(key="cpu-2", comparable={}, details={})
CLOCK = 1e-9


def seen(metric, *values, fresh=False, **more):
    return Sample(metric=metric, values=values, origin=Origin.FRESH if fresh else Origin.IN_PROCESS, **more)


def steady(metric, value, *, fresh=False, count=20, **more):
    return seen(metric, *[value] * count, fresh=fresh, **more)


def measured(*samples, **more):
    return Measurement(test=TEST, label="", samples=samples, taken_at="2026-11-20T12:00:00Z", **more)


def session(values, *, covariate=None, disturbed=False, hours=0):
    """One session, so many hours after the first of November."""
    at = f"{datetime(2026, 11, 1, 12) + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"  # noqa: DTZ001 - written as UTC
    return Session(at=at, commit=None, covariate=covariate, disturbed=disturbed, values=values)


def baseline(*, sessions=(), portable=None, source=None, files=None, other_classes=0, allocations=None):
    stored = {
        name: value
        if isinstance(value, PortableValue)
        else PortableValue(value=value, at="2026-11-01T12:00:00Z", commit=None)
        for name, value in (portable or {}).items()
    }
    return Baseline(
        test=TEST,
        label="",
        source=source,
        files=files or {},
        portable=stored,
        sessions=tuple(sessions),
        other_classes=other_classes,
        allocations=allocations or Allocations(),
    )


def sessions_of(metric, values, covariates=None, *, apart=24):
    """One session per value, so many hours apart."""
    covariates = covariates if covariates is not None else [None] * len(values)
    return [
        session({metric: float(value)}, covariate=covariate, hours=apart * number)
        for number, (value, covariate) in enumerate(zip(values, covariates, strict=True))
    ]


def scored(examples):
    examples = tuple(float(example) for example in examples)
    return PortableValue(value=sum(examples) / len(examples), at="", commit=None, examples=examples)


def limit(metric, bound, **more):
    return Limit(metric=metric, bound=bound, source=f"max_{metric}({bound:g})", **more)


def verdicts(measurement, base=None, *, limits=(), margins=None, policy=None, suite=None, final=True, clock=CLOCK):
    """The rows; wherever the judge wants nothing more, it has to say the same again when it is told to be final."""
    criteria = Criteria(
        margins=margins or Margins(),
        policy=policy or Policy(),
        limits=tuple(limits),
        default_limits=(),
        baselines={} if base is None else {measurement.label: base},
        suite_variance=suite,
        stores=False,
    )
    last, first = (
        judge(measurement, criteria, metrics=METRICS, environment=HERE, final=final, timer_resolution=clock)
        for final in (True, False)
    )
    assert any(row.needs for row in first) or repr(first) == repr(last)
    return last if final else first


def only(measurement, base=None, **more):
    (row,) = verdicts(measurement, base, **more)
    return row


def word(row):
    return f"{row.status.value}: {row.reason}{' (fails)' if row.fails else ''}"


class Machine:
    """A seeded machine whose speed wanders between sessions, and between processes a little."""

    def __init__(self, seed, *, between_sessions=0.02, between_processes=0.008):
        self.random = np.random.default_rng(seed)
        self.between_sessions = between_sessions
        self.between_processes = between_processes

    def speed(self):
        """Log factor of one session."""
        return self.random.normal(0, self.between_sessions)

    def process(self, speed, slowdown=0.0, *, seconds=2e-3):
        """The values of one process."""
        centre = np.log(seconds) + speed + np.log1p(slowdown) + self.random.normal(0, self.between_processes)
        return tuple(np.exp(centre + self.random.normal(0, 0.003, 20)))

    def sessions(self, metric, count):
        return sessions_of(metric, [np.median(self.process(self.speed())) for _ in range(count)])

"""Metrics, machines and measurements for tests of what is stored."""

from __future__ import annotations

from dataclasses import replace

from pytest_aiperf.measuring.metrics import energy
from pytest_aiperf.vocabulary.records import Environment, Measurement, Sample
from pytest_aiperf.vocabulary.terms import Better, Metric, Origin, Rule, Unit

TEST = "tests/test_resnet.py::test_int8"


def metric(name: str, rule: Rule, unit: Unit, *, better: Better = Better.LOWER, portable: bool = False) -> Metric:
    return Metric(name=name, title=name, unit=unit, better=better, rule=rule, portable=portable)


METRICS = {
    one.name: one
    for one in (
        metric("latency", Rule.TIME, Unit.SECONDS),
        metric("throughput", Rule.TIME, Unit.PER_SECOND, better=Better.HIGHER),
        metric("load_cold", Rule.LOAD_TIME, Unit.SECONDS),
        metric("ram", Rule.PROCESS_MEMORY, Unit.BYTES),
        metric("model_size", Rule.EXACT, Unit.BYTES, portable=True),
        metric("accuracy", Rule.QUALITY, Unit.FRACTION, better=Better.HIGHER, portable=True),
        metric("perplexity", Rule.QUALITY, Unit.NUMBER, portable=True),
        metric("ram_file", Rule.SHOWN, Unit.BYTES),
        metric("at", Rule.TIME, Unit.SECONDS),
        *energy.METRICS,
    )
}


def machine(key: str = "ci-cpu") -> Environment:
    return Environment(key=key, comparable={"cpu": f"model of {key}", "cores": "2"}, details={"host": "never stored"})


def sample(name: str, *values: float, origin: Origin = Origin.IN_PROCESS, notes: tuple[str, ...] = ()) -> Sample:
    return Sample(metric=name, values=values, origin=origin, notes=notes)


def measured(*samples: Sample, test: str = TEST, label: str = "", day: int = 1, source: str = "s1") -> Measurement:
    return Measurement(
        test=test,
        label=label,
        samples=samples,
        taken_at=f"2026-01-{day:02d}T12:00:00Z",
        commit="1a2b3c4",
        source=source,
        covariate=-4.21345,
    )


def disturbed(measurement: Measurement) -> Measurement:
    return replace(measurement, disturbances=("another process used 40 % of a core",))

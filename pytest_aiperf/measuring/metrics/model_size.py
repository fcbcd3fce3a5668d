"""Bytes of the model: its files where they are known, else its parameters and buffers."""

from __future__ import annotations

from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Better, Metric, Rule, Unit

METRIC = Metric(
    name="model_size",
    title="model size",
    unit=Unit.BYTES,
    better=Better.LOWER,
    rule=Rule.EXACT,
    portable=True,
    negligible=1024.0,  # sizes have no noise, but a file's header may name where and when it was written
    measured_by="aiperf.load(...) or aiperf.infer(...)",
)
METRICS = (METRIC,)


def sample(*, file_bytes: int | None, parameter_bytes: int | None) -> Sample | None:
    """The size as a sample, or None where neither figure is known."""
    if file_bytes is not None:
        return Sample(metric=METRIC.name, values=(float(file_bytes),), notes=("bytes of the model's files",))
    if parameter_bytes is not None:
        return Sample(metric=METRIC.name, values=(float(parameter_bytes),), notes=("bytes of parameters and buffers",))
    return None

"""Bytes of the model: its files where they are known, else its parameters and buffers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_aiperf.machine.files import file_bytes
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


def samples_of(paths: Sequence[Path], *, parameter_bytes: int | None) -> tuple[Sample, ...]:
    """The size of the model's files, else of its parameters, as a sample; none where neither is known."""
    size, of = (file_bytes(paths), "the model's files") if paths else (parameter_bytes, "parameters and buffers")
    return () if size is None else (Sample(metric=METRIC.name, values=(float(size),), notes=(f"bytes of {of}",)),)

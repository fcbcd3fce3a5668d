"""A function that keeps a tensor of every call, and one that keeps none."""

from __future__ import annotations

import torch

from benchmarks.gpu.table import Bench, table
from pytest_aiperf.judging.rules.leak import DEFAULT, answer_of
from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.measuring.metrics.leak import Soak

KIB = 1024
SIZES = (0, 50, 200, 1024)


def on_the_device(bench: Bench) -> list[str]:
    """KiB kept by each call, and what the rule says of it."""
    rows = []
    for size in SIZES:
        kept: list[torch.Tensor] = []

        def call(size: int = size, kept: list[torch.Tensor] = kept) -> None:
            torch.ones(1024, 1024, device=bench.device).sum()
            if size:
                kept.append(torch.ones(size * KIB // 4, device=bench.device))

        samples = Driver(call, bench.tools).run((Soak(calls=200 if bench.small else 600),))
        for sample in samples:
            answer, slope = answer_of(sample.values, DEFAULT.bound, calls=sample.calls_per_value)
            notes = "; ".join(sample.notes) or "-"
            rows.append([f"{size}", sample.metric, f"{slope / KIB:.1f}", answer.value, notes])
    return table(("kept, KiB per call", "figure", "slope, KiB per call", "answer", "notes"), rows)

"""What a comparison of two models says beside latency and accuracy: its ratios, and how far the outputs lie apart."""

from __future__ import annotations

from pytest_aiperf.vocabulary.terms import Better, Metric, Rule, Unit

SPEEDUP = Metric(
    name="speedup", title="speed-up", unit=Unit.RATIO, better=Better.HIGHER, rule=Rule.SPEEDUP, portable=False
)
SIZE_RATIO = Metric(
    name="size_ratio", title="size ratio", unit=Unit.RATIO, better=Better.LOWER, rule=Rule.SHOWN, portable=True
)
MEMORY_RATIO = Metric(
    name="memory_ratio", title="memory ratio", unit=Unit.RATIO, better=Better.LOWER, rule=Rule.SHOWN, portable=False
)
CANDIDATE_MEMORY, REFERENCE_MEMORY = (
    Metric(
        name=f"{whose}_memory",
        title=f"memory of the {whose}",
        unit=Unit.BYTES,
        better=Better.LOWER,
        rule=Rule.SHOWN,
        portable=False,
    )
    for whose in ("candidate", "reference")
)
"""The model and what its first call adds at its peak, each in a fresh process."""
AGREEMENT = Metric(
    name="agreement", title="agreement", unit=Unit.FRACTION, better=Better.HIGHER, rule=Rule.SHOWN, portable=True
)
SQNR = Metric(name="sqnr", title="SQNR", unit=Unit.DECIBEL, better=Better.HIGHER, rule=Rule.SHOWN, portable=True)
MAX_ABS_ERROR = Metric(
    name="max_abs_error",
    title="largest error",
    unit=Unit.NUMBER,
    better=Better.LOWER,
    rule=Rule.SHOWN,
    portable=True,
)
METRICS = (SPEEDUP, SIZE_RATIO, MEMORY_RATIO, CANDIDATE_MEMORY, REFERENCE_MEMORY, AGREEMENT, SQNR, MAX_ABS_ERROR)

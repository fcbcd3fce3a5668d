"""What a comparison of two models says beside latency and accuracy: its ratios, and how far the outputs lie apart."""

from __future__ import annotations

from pytest_aiperf.vocabulary.terms import Better, Metric, Rule, Unit


def _metric(name: str, title: str, unit: Unit, better: Better, *, portable: bool) -> Metric:
    return Metric(
        name=name,
        title=title,
        unit=unit,
        better=better,
        rule=Rule.SHOWN,
        portable=portable,
        measured_by="aiperf.compare(...)",
    )


SPEEDUP = Metric(
    name="speedup",
    title="speed-up",
    unit=Unit.RATIO,
    better=Better.HIGHER,
    rule=Rule.SPEEDUP,
    portable=False,
    measured_by="aiperf.compare(...)",
    follows="latency",
)
SIZE_RATIO = _metric("size_ratio", "size ratio", Unit.RATIO, Better.LOWER, portable=True)
MEMORY_RATIO = _metric("memory_ratio", "memory ratio", Unit.RATIO, Better.LOWER, portable=False)
CANDIDATE_MEMORY, REFERENCE_MEMORY = (
    _metric(f"{whose}_memory", f"memory of the {whose}", Unit.BYTES, Better.LOWER, portable=False)
    for whose in ("candidate", "reference")
)
"""The model and what its first call adds at its peak, each in a fresh process."""
AGREEMENT = _metric("agreement", "agreement", Unit.FRACTION, Better.HIGHER, portable=True)
SQNR = _metric("sqnr", "SQNR", Unit.DECIBEL, Better.HIGHER, portable=True)
MAX_ABS_ERROR = _metric("max_abs_error", "largest error", Unit.NUMBER, Better.LOWER, portable=True)
METRICS = (SPEEDUP, SIZE_RATIO, MEMORY_RATIO, CANDIDATE_MEMORY, REFERENCE_MEMORY, AGREEMENT, SQNR, MAX_ABS_ERROR)

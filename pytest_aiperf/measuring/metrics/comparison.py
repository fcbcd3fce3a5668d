"""What a comparison of two models says beside latency and accuracy: its ratios, and how far the outputs lie apart."""

from __future__ import annotations

import functools

from pytest_aiperf.vocabulary.terms import Better, Metric, Rule, Unit

_shown = functools.partial(Metric, rule=Rule.SHOWN, measured_by="aiperf.compare(...)")
SPEEDUP = Metric(
    name="speedup",
    title="speed-up",
    unit=Unit.RATIO,
    better=Better.HIGHER,
    rule=Rule.SPEEDUP,
    measured_by="aiperf.compare(...)",
    follows="latency",
)
_ratio = functools.partial(_shown, unit=Unit.RATIO, better=Better.LOWER)
SIZE_RATIO = _ratio(name="size_ratio", title="size ratio", portable=True)
MEMORY_RATIO = _ratio(name="memory_ratio", title="memory ratio")
_memory = functools.partial(_shown, unit=Unit.BYTES, better=Better.LOWER)
CANDIDATE_MEMORY = _memory(name="candidate_memory", title="memory of the candidate")
REFERENCE_MEMORY = _memory(name="reference_memory", title="memory of the reference")
"""The model and what its first call adds at its peak, each in a fresh process."""
_of_outputs = functools.partial(_shown, portable=True)
AGREEMENT = _of_outputs(name="agreement", title="agreement", unit=Unit.FRACTION, better=Better.HIGHER)
SQNR = _of_outputs(name="sqnr", title="SQNR", unit=Unit.DECIBEL, better=Better.HIGHER)
MAX_ABS_ERROR = _of_outputs(name="max_abs_error", title="largest error", unit=Unit.NUMBER, better=Better.LOWER)
METRICS = (SPEEDUP, SIZE_RATIO, MEMORY_RATIO, CANDIDATE_MEMORY, REFERENCE_MEMORY, AGREEMENT, SQNR, MAX_ABS_ERROR)

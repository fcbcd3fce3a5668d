"""The markers that hold an absolute bound, each a function from what the user wrote to a `Limit`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pytest_aiperf.measuring.metrics import (
    accuracy,
    comparison,
    cpu_memory,
    gpu_memory,
    latency,
    leak,
    load_time,
    model_size,
    throughput,
)
from pytest_aiperf.vocabulary.records import Limit
from pytest_aiperf.vocabulary.terms import Metric

MIB = 1024**2


def max_load_s(s: float, cache: str = "warm", *, label: str | None = None) -> Limit:
    """Longest load time in seconds, first inference included."""
    metric = {"warm": load_time.WARM, "cold": load_time.COLD}.get(cache)
    if metric is None:
        raise ValueError(f"cache={cache!r}: expected 'warm' or 'cold'")
    return _limit(metric, above_zero("s", s), label)


def max_latency_ms(ms: float, percentile: float = 50, *, label: str | None = None) -> Limit:
    """Longest latency of one call in milliseconds."""
    between = "a number between 0 and 100, both excluded"
    share = number("percentile", percentile, lambda percent: 0 < percent < 100, between)  # noqa: PLR2004 - percent
    return _limit(latency.METRIC, above_zero("ms", ms) / 1e3, label, percentile=share)


def min_throughput(per_s: float, *, label: str | None = None) -> Limit:
    """Fewest items per second, calls queued back to back."""
    return _limit(throughput.METRIC, above_zero("per_s", per_s), label)


def max_gpu_mb(mb: float, kind: str = "allocated", *, label: str | None = None) -> Limit:
    """Most GPU memory in MiB: allocated, reserved or process."""
    kinds = {"allocated": gpu_memory.ALLOCATED, "reserved": gpu_memory.RESERVED, "process": gpu_memory.PROCESS}
    if kind not in kinds:
        raise ValueError(f"kind={kind!r}: expected 'allocated', 'reserved' or 'process'")
    return _limit(kinds[kind], above_zero("mb", mb) * MIB, label)


def max_ram_mb(mb: float, *, label: str | None = None) -> Limit:
    """Most process memory in MiB above that of an idle process."""
    return _limit(cpu_memory.RAM, above_zero("mb", mb) * MIB, label)


def max_leak_kb(per_call: float, *, label: str | None = None) -> Limit:
    """Most memory in KiB that each call of aiperf.soak may leave behind."""
    bound = number("per_call", per_call, lambda kib: 0 <= kib < math.inf, "KiB per call, 0 or more")
    return _limit(leak.LEAK, bound * 1024, label)


def max_model_mb(mb: float, *, label: str | None = None) -> Limit:
    """Largest model in MiB."""
    return _limit(model_size.METRIC, above_zero("mb", mb) * MIB, label)


def min_accuracy(value: float, *, label: str | None = None) -> Limit:
    """Lowest accuracy as a fraction."""
    bound = number("value", value, _is_share, "a fraction between 0 and 1 (0.95 is 95 %)")
    return _limit(accuracy.METRIC, bound, label)


def max_accuracy_drop(points: float, *, population: bool = False, label: str | None = None) -> Limit:
    """Largest loss of accuracy to the baseline, or to a comparison's reference, in points: 0.5 is half a percent point.

    On the examples that were scored; with `population`, the loss must be proven small for others like them, too.
    """
    below = "percent points, 0 or more and below 100"
    bound = number("points", points, lambda drop: 0 <= drop < 100, below)  # noqa: PLR2004 - percent points
    if not isinstance(population, bool):
        raise ValueError(f"population={population!r}: expected True or False")  # noqa: TRY004 - a mistake in a marker
    return replace(_limit(accuracy.METRIC, bound / 100, label), drop=True, population=population)


def min_speedup(ratio: float, *, label: str | None = None) -> Limit:
    """Smallest speed-up of a candidate over its reference: 1.5 is half as fast again."""
    return _limit(comparison.SPEEDUP, above_zero("ratio", ratio), label)


def max_size_ratio(ratio: float, *, label: str | None = None) -> Limit:
    """Largest size of a candidate, as a share of its reference's."""
    return _limit(comparison.SIZE_RATIO, above_zero("ratio", ratio), label)


def max_memory_ratio(ratio: float, *, label: str | None = None) -> Limit:
    """Largest memory of a candidate, as a share of its reference's: the model and what its first call adds."""
    return _limit(comparison.MEMORY_RATIO, above_zero("ratio", ratio), label)


def min_agreement(share: float, *, label: str | None = None) -> Limit:
    """Smallest share of examples to which candidate and reference give the same answer."""
    bound = number("share", share, _is_share, "a fraction between 0 and 1")
    return _limit(comparison.AGREEMENT, bound, label)


def min_sqnr_db(db: float, *, label: str | None = None) -> Limit:
    """Smallest ratio of the reference's outputs to their error, in decibel."""
    return _limit(comparison.SQNR, number("db", db), label)


def max_abs_error(error: float, *, label: str | None = None) -> Limit:
    """Largest difference of any output of candidate and reference."""
    return _limit(comparison.MAX_ABS_ERROR, above_zero("error", error), label)


_ABSOLUTE = (max_load_s, max_latency_ms, min_throughput, max_gpu_mb, max_ram_mb, max_model_mb, min_accuracy)
_COMPARED = (min_speedup, max_size_ratio, max_memory_ratio, min_agreement, min_sqnr_db, max_abs_error)
ABSOLUTE: Mapping[str, Callable[..., Limit]] = {function.__name__: function for function in _ABSOLUTE}
"""Those that may have a default for all tests."""
LIMITS: Mapping[str, Callable[..., Limit]] = {
    function.__name__: function for function in (*_ABSOLUTE, max_leak_kb, max_accuracy_drop, *_COMPARED)
}


def _limit(metric: Metric, bound: float, label: str | None, percentile: float | None = None) -> Limit:
    if label is not None and not isinstance(label, str):
        raise ValueError(f"label={label!r}: expected a string")
    return Limit(metric=metric.name, bound=bound, source="", percentile=percentile, label=label)


def number(name: str, value: Any, fits: Callable[[float], bool] = lambda _: True, expected: str = "a number") -> float:
    """The value, where it is a number that fits. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ValueError(f"{name}={value!r}: expected a number")
    if not fits(value):
        raise ValueError(f"{name}={value!r}: expected {expected}")
    return float(value)


def above_zero(name: str, value: Any) -> float:
    """The value, where it is a positive finite number. Raises ValueError."""
    return number(name, value, lambda one: 0 < one < math.inf, "a number above zero")


def _is_share(value: float) -> bool:
    return 0 <= value <= 1

"""Marker -> Limit, with its validation: every mistake is found at collection, before any test runs."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_aiperf.vocabulary import Limit, Margins

MIB = 1024**2
_NEAR = 0.8
"""How alike (difflib ratio) an unknown marker must be to one of ours to be taken for a typing mistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the `aiperf` marker asked for one test; None where it says nothing."""

    max_slowdown: float | None = None
    tolerance: float | None = None
    accuracy_margin: float | None = None
    calls: int | None = None
    seconds: float | None = None
    memory: bool | None = None

    def margins(self, defaults: Margins) -> Margins:
        """The relative rules of the test, with the run's defaults filled in."""
        return Margins(
            tolerance=defaults.tolerance if self.tolerance is None else self.tolerance,
            max_slowdown=defaults.max_slowdown if self.max_slowdown is None else self.max_slowdown,
            load_tolerance=defaults.load_tolerance,
            max_load_slowdown=defaults.max_load_slowdown,
            accuracy_margin=defaults.accuracy_margin if self.accuracy_margin is None else self.accuracy_margin,
            max_size_growth=defaults.max_size_growth,
            max_memory_growth=defaults.max_memory_growth,
        )


@dataclass(slots=True, kw_only=True)
class Marked:
    """What the markers of one test came to."""

    limits: list[Limit] = field(default_factory=list)
    rules: Rules = field(default_factory=Rules)
    mistakes: list[str] = field(default_factory=list)


def max_load_s(s: float, cache: str = "warm", *, label: str | None = None) -> Limit:
    """Longest load time in seconds, first inference included."""
    metric = {"warm": "load_warm", "cold": "load_cold"}.get(cache)
    if metric is None:
        raise ValueError(f"cache={cache!r}: expected 'warm' or 'cold'")
    return _limit(metric, _above_zero("s", s), label)


def max_latency_ms(ms: float, percentile: float = 50, *, label: str | None = None) -> Limit:
    """Longest latency of one call in milliseconds."""
    share = _number("percentile", percentile)
    if not 0 < share < 100:  # noqa: PLR2004 - percent
        raise ValueError(f"percentile={percentile!r}: expected a number between 0 and 100, both excluded")
    return _limit("latency", _above_zero("ms", ms) / 1e3, label, percentile=share)


def min_throughput(per_s: float, *, label: str | None = None) -> Limit:
    """Fewest items per second."""
    return _limit("throughput", _above_zero("per_s", per_s), label)


def max_gpu_mb(mb: float, kind: str = "allocated", *, label: str | None = None) -> Limit:
    """Most GPU memory in MiB."""
    if kind not in ("allocated", "reserved", "process"):
        raise ValueError(f"kind={kind!r}: expected 'allocated', 'reserved' or 'process'")
    return _limit(f"gpu_{kind}", _above_zero("mb", mb) * MIB, label)


def max_ram_mb(mb: float, *, label: str | None = None) -> Limit:
    """Most process memory in MiB, above that of an idle process."""
    return _limit("ram", _above_zero("mb", mb) * MIB, label)


def max_model_mb(mb: float, *, label: str | None = None) -> Limit:
    """Largest model in MiB."""
    return _limit("model_size", _above_zero("mb", mb) * MIB, label)


def min_accuracy(value: float, *, label: str | None = None) -> Limit:
    """Lowest accuracy, as a fraction."""
    bound = _number("value", value)
    if not 0 <= bound <= 1:
        raise ValueError(f"value={value!r}: expected a fraction between 0 and 1 (0.95 is 95 %)")
    return _limit("accuracy", bound, label)


def min_speedup(ratio: float, *, label: str | None = None) -> Limit:
    """Smallest speed-up of a candidate over its reference: 1.5 is half as fast again."""
    return _limit("speedup", _above_zero("ratio", ratio), label)


def max_size_ratio(ratio: float, *, label: str | None = None) -> Limit:
    """Largest size of a candidate, as a share of its reference's."""
    return _limit("size_ratio", _above_zero("ratio", ratio), label)


def min_agreement(share: float, *, label: str | None = None) -> Limit:
    """Smallest share of examples to which candidate and reference give the same answer."""
    bound = _number("share", share)
    if not 0 <= bound <= 1:
        raise ValueError(f"share={share!r}: expected a fraction between 0 and 1")
    return _limit("agreement", bound, label)


def min_sqnr_db(db: float, *, label: str | None = None) -> Limit:
    """Smallest ratio of the reference's outputs to their error, in decibel."""
    return _limit("sqnr", _number("db", db), label)


def max_abs_error(error: float, *, label: str | None = None) -> Limit:
    """Largest difference of any output."""
    return _limit("max_abs_error", _above_zero("error", error), label)


def aiperf(
    *,
    max_slowdown: float | None = None,
    tolerance: float | None = None,
    accuracy_margin: float | None = None,
    calls: int | None = None,
    seconds: float | None = None,
    memory: bool | None = None,
) -> Rules:
    """The relative rules of a test, and how long to measure it."""
    fractions = {"max_slowdown": max_slowdown, "tolerance": tolerance, "accuracy_margin": accuracy_margin}
    for name, value in fractions.items():
        if value is not None and not 0 <= _number(name, value) < 10:  # noqa: PLR2004 - nobody means 1,000 %
            raise ValueError(f"{name}={value!r}: expected a fraction such as 0.05 (5 %)")
    if calls is not None and (isinstance(calls, bool) or not isinstance(calls, int) or calls < 1):
        raise ValueError(f"calls={calls!r}: expected a whole number above zero")
    if seconds is not None:
        _above_zero("seconds", seconds)
    if memory is not None and not isinstance(memory, bool):
        raise ValueError(f"memory={memory!r}: expected True or False")
    if max_slowdown is not None and tolerance is not None and max_slowdown < tolerance:
        raise ValueError(f"max_slowdown={max_slowdown} is below tolerance={tolerance}: these contradict each other")
    return Rules(
        max_slowdown=max_slowdown,
        tolerance=tolerance,
        accuracy_margin=accuracy_margin,
        calls=calls,
        seconds=seconds,
        memory=memory,
    )


ABSOLUTE: Mapping[str, Callable[..., Limit]] = {
    function.__name__: function
    for function in (max_load_s, max_latency_ms, min_throughput, max_gpu_mb, max_ram_mb, max_model_mb, min_accuracy)
}
"""Those that may have a default for all tests."""
RELATIVE: Mapping[str, Callable[..., Limit]] = {
    function.__name__: function for function in (min_speedup, max_size_ratio, min_agreement, min_sqnr_db, max_abs_error)
}
"""Of a candidate to the reference that it is compared with."""
LIMITS: Mapping[str, Callable[..., Limit]] = {**ABSOLUTE, **RELATIVE}


def default_limits(values: Mapping[str, Any]) -> tuple[Limit, ...]:
    """The limits that hold where no marker says otherwise; `values` maps marker names to numbers or None."""
    limits = []
    for name, parse in ABSOLUTE.items():
        if values.get(name) is not None:
            limit = parse(values[name])
            limits.append(_written(limit, f"{name}={values[name]:g} (default)"))
    return tuple(limits)


def read(item: pytest.Item, registered: frozenset[str]) -> Marked:
    """All limits and rules of one test; mistakes are collected, not raised.

    The closest marker wins: that of a parameter set, then the function, the class, the module. Different limits
    (another percentile, kind or label) stack. Two different values at one level contradict each other.
    """
    marked = Marked()
    taken: dict[tuple[Any, ...], tuple[int, Limit]] = {}
    rules: dict[str, Any] = {}
    for level, mark in _by_closeness(item):
        if mark.name == "aiperf":
            parsed = _parse(aiperf, mark, marked.mistakes)
            if parsed is not None:
                rules = {name: value for name, value in _given(parsed).items() if value is not None} | rules
        elif mark.name in LIMITS:
            limit = _parse(LIMITS[mark.name], mark, marked.mistakes)
            if limit is not None:
                _take(_written(limit, _spelled(mark)), level, taken, marked.mistakes)
        elif mistake := _misspelt(mark.name, registered):
            marked.mistakes.append(mistake)
    marked.limits = [limit for _, limit in taken.values()]
    marked.rules = Rules(**rules)
    return marked


def with_defaults(limits: Sequence[Limit], defaults: Iterable[Limit], measured: Iterable[str]) -> tuple[Limit, ...]:
    """The limits of one label, and each default whose metric was measured under it and has no limit of its own."""
    own = {(limit.metric, limit.percentile) for limit in limits}
    seen = set(measured)
    return (
        *limits,
        *(limit for limit in defaults if limit.metric in seen and (limit.metric, limit.percentile) not in own),
    )


def _by_closeness(item: pytest.Item) -> Iterable[tuple[int, pytest.Mark]]:
    of_parameters = list(getattr(getattr(item, "callspec", None), "marks", ()))
    for mark in of_parameters:
        yield 0, getattr(mark, "mark", mark)
    names = {id(getattr(mark, "mark", mark)) for mark in of_parameters}
    depth: dict[int, int] = {}
    for node, mark in item.iter_markers_with_node():
        if id(mark) not in names:
            yield depth.setdefault(id(node), len(depth) + 1), mark


def _take(limit: Limit, level: int, taken: dict[tuple[Any, ...], tuple[int, Limit]], mistakes: list[str]) -> None:
    key = (limit.metric, limit.percentile, limit.label)
    if key not in taken:
        taken[key] = (level, limit)
        return
    known_level, known = taken[key]
    if known_level == level and known.bound != limit.bound:
        mistakes.append(f"{known.source} and {limit.source} contradict each other")


def _parse(function: Callable[..., Any], mark: pytest.Mark, mistakes: list[str]) -> Any:
    """Call the marker's function. A limit's value may be positional, as may `percentile`, `kind` and `cache`."""
    try:
        inspect.signature(function).bind(*mark.args, **mark.kwargs)
        return function(*mark.args, **mark.kwargs)
    except (TypeError, ValueError) as error:
        mistakes.append(f"{_spelled(mark)}: {error}; expected {mark.name}{_signature(function)}")
        return None


def _signature(function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    parameters = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(inspect.Signature(parameters))


def _misspelt(name: str, registered: frozenset[str]) -> str | None:
    if name in registered:
        return None
    near = difflib.get_close_matches(name, LIMITS, n=1, cutoff=_NEAR)
    return f"unknown marker {name}: did you mean {near[0]}?" if near else None


def _spelled(mark: pytest.Mark) -> str:
    arguments = [repr(value) for value in mark.args] + [f"{name}={value!r}" for name, value in mark.kwargs.items()]
    return f"{mark.name}({', '.join(arguments)})"


def _given(rules: Rules) -> dict[str, Any]:
    return {name: getattr(rules, name) for name in Rules.__slots__}


def _limit(metric: str, bound: float, label: str | None, percentile: float | None = None) -> Limit:
    if label is not None and not isinstance(label, str):
        raise ValueError(f"label={label!r}: expected a string")
    return Limit(metric=metric, bound=bound, source="", percentile=percentile, label=label)


def _written(limit: Limit, source: str) -> Limit:
    return Limit(metric=limit.metric, bound=limit.bound, source=source, percentile=limit.percentile, label=limit.label)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ValueError(f"{name}={value!r}: expected a number")
    return float(value)


def _above_zero(name: str, value: Any) -> float:
    number = _number(name, value)
    if not 0 < number < math.inf:
        raise ValueError(f"{name}={value!r}: expected a number above zero")
    return number

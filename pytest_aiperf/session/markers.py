"""Marker -> Limit, with its validation: every mistake is found at collection, before any test runs."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pytest_aiperf.session.limit_markers import ABSOLUTE, LIMITS, above_zero, as_number
from pytest_aiperf.vocabulary.records import Limit, Margins

TOLERATED_SHARE = 0.2
"""Of the largest slowdown: the tolerance that goes with it, as 1 % goes with 5 %."""
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
    group: str | None = None
    flush_l2: bool | None = None

    def margins(self, defaults: Margins) -> Margins:
        """The relative rules of the test, with the run's defaults filled in."""
        return Margins(
            tolerance=self._tolerance(defaults) if self.tolerance is None else self.tolerance,
            max_slowdown=defaults.max_slowdown if self.max_slowdown is None else self.max_slowdown,
            load_tolerance=defaults.load_tolerance,
            max_load_slowdown=defaults.max_load_slowdown,
            accuracy_margin=defaults.accuracy_margin if self.accuracy_margin is None else self.accuracy_margin,
            max_size_growth=defaults.max_size_growth,
            max_memory_growth=defaults.max_memory_growth,
        )

    def _tolerance(self, defaults: Margins) -> float:
        """Grows with a `max_slowdown` that was asked for: who lets 50 % pass does not want to hear of 2 %."""
        if self.max_slowdown is None:
            return defaults.tolerance
        return min(self.max_slowdown, max(defaults.tolerance, self.max_slowdown * TOLERATED_SHARE))


@dataclass(slots=True, kw_only=True)
class Marked:
    """What the markers of one test came to."""

    limits: list[Limit] = field(default_factory=list)
    rules: Rules = field(default_factory=Rules)
    mistakes: list[str] = field(default_factory=list)


def aiperf(
    *,
    max_slowdown: float | None = None,
    tolerance: float | None = None,
    accuracy_margin: float | None = None,
    calls: int | None = None,
    seconds: float | None = None,
    memory: bool | None = None,
    group: str | None = None,
    flush_l2: bool | None = None,
) -> Rules:
    """The relative rules of a test, how long to measure it, and whose table its comparisons stand in."""
    fractions = {"max_slowdown": max_slowdown, "tolerance": tolerance, "accuracy_margin": accuracy_margin}
    for name, value in fractions.items():
        if value is not None and not 0 <= as_number(name, value) < 10:  # noqa: PLR2004 - nobody means 1,000 %
            raise ValueError(f"{name}={value!r}: expected a fraction such as 0.05 (5 %)")
    if calls is not None and (isinstance(calls, bool) or not isinstance(calls, int) or calls < 1):
        raise ValueError(f"calls={calls!r}: expected a whole number above zero")
    if seconds is not None:
        above_zero("seconds", seconds)
    for name, switch in (("memory", memory), ("flush_l2", flush_l2)):
        if switch is not None and not isinstance(switch, bool):
            raise ValueError(f"{name}={switch!r}: expected True or False")
    if group is not None and not (isinstance(group, str) and group.strip()):
        raise ValueError(f"group={group!r}: expected a name")
    if max_slowdown is not None and tolerance is not None and max_slowdown < tolerance:
        raise ValueError(f"max_slowdown={max_slowdown} is below tolerance={tolerance}: these contradict each other")
    return Rules(
        max_slowdown=max_slowdown,
        tolerance=tolerance,
        accuracy_margin=accuracy_margin,
        calls=calls,
        seconds=seconds,
        memory=memory,
        group=group,
        flush_l2=flush_l2,
    )


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
    key = (limit.metric, limit.percentile, limit.label, limit.drop)
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


def _written(limit: Limit, source: str) -> Limit:
    return replace(limit, source=source)

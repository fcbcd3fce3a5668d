"""Marker -> Limit, with its validation: every mistake is found at collection, before any test runs."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest

from pytest_aiperf.session.limit_markers import ABSOLUTE, LIMITS, above_zero, number
from pytest_aiperf.vocabulary.records import Limit, Margins

TOLERATED_SHARE = 0.2
"""Of the largest slowdown: the tolerance that goes with it, as 1 % goes with 5 %."""
_OF_MARGINS = ("max_slowdown", "tolerance", "accuracy_margin")
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
        asked = {name: value for name, value in self.given().items() if name in _OF_MARGINS}
        return replace(defaults, **{"tolerance": self._tolerance(defaults), **asked})

    def given(self) -> dict[str, Any]:
        """What was asked for, by name."""
        return {rule.name: value for rule in fields(self) if (value := getattr(self, rule.name)) is not None}

    def check(self) -> None:
        """Find a mistake in what one marker says. Raises ValueError."""
        for name, value in self.given().items():
            if name in _OF_MARGINS:  # nobody means 1,000 %
                number(name, value, lambda share: 0 <= share < 10, "a fraction such as 0.05 (5 %)")  # noqa: PLR2004
            if name in ("memory", "flush_l2") and not isinstance(value, bool):
                raise ValueError(f"{name}={value!r}: expected True or False")
        if self.calls is not None and (
            isinstance(self.calls, bool) or not isinstance(self.calls, int) or self.calls < 1
        ):
            raise ValueError(f"calls={self.calls!r}: expected a whole number above zero")
        if self.seconds is not None:
            above_zero("seconds", self.seconds)
        if self.group is not None and not (isinstance(self.group, str) and self.group.strip()):
            raise ValueError(f"group={self.group!r}: expected a name")
        if self.max_slowdown is not None and self.tolerance is not None and self.max_slowdown < self.tolerance:
            raise ValueError(
                f"max_slowdown={self.max_slowdown} is below tolerance={self.tolerance}: these contradict each other"
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


def default_limits(values: Mapping[str, Any]) -> tuple[Limit, ...]:
    """The limits that hold where no marker says otherwise; `values` maps marker names to numbers or None."""
    return tuple(
        replace(parse(value), source=f"{name}={value:g} (default)")
        for name, parse in ABSOLUTE.items()
        if (value := values.get(name)) is not None
    )


OF_OTHERS = pytest.StashKey[Mapping[str, Callable[..., Limit]]]()
"""Markers that other packages' metrics are limited by."""


def described(name: str, function: Callable[..., Limit]) -> str:
    """A marker as `pytest --markers` lists it."""
    return f"{name}{_signature(function)}: {(inspect.getdoc(function) or 'a limit').splitlines()[0].rstrip('.')}"


def own() -> list[str]:
    """All of ours, as `pytest --markers` lists them."""
    rules = f"aiperf({', '.join(inspect.signature(Rules).parameters)}): rules of this test"
    return [*(described(name, function) for name, function in LIMITS.items()), rules]


def read(item: pytest.Item, registered: frozenset[str]) -> Marked:
    """All limits and rules of one test; mistakes are collected, not raised.

    The closest marker wins: that of a parameter set, then the function, the class, the module. Different limits
    (another percentile, kind or label) stack. Two different values at one level contradict each other.
    """
    marked = Marked()
    taken: dict[tuple[Any, ...], tuple[int, Limit]] = {}
    rules: dict[str, Any] = {}
    limits = _known(item.config)
    for level, mark in _by_closeness(item):
        if mark.name == "aiperf":
            parsed = _parse(Rules, mark, marked.mistakes)
            if parsed is not None:
                rules = parsed.given() | rules
        elif mark.name in limits:
            limit = _parse(limits[mark.name], mark, marked.mistakes)
            if limit is not None:
                _take(replace(limit, source=_spelled(mark)), level, taken, marked.mistakes)
        elif mistake := _misspelt(mark.name, registered, limits):
            marked.mistakes.append(mistake)
    marked.limits = [limit for _, limit in taken.values()]
    marked.rules = Rules(**rules)
    return marked


def _known(config: pytest.Config) -> dict[str, Callable[..., Limit]]:
    others: Mapping[str, Callable[..., Limit]] = config.stash.get(OF_OTHERS, {})
    return {**LIMITS, **others}


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
        meant = function(*mark.args, **mark.kwargs)
        if isinstance(meant, Rules):
            meant.check()
    except Exception as error:  # noqa: BLE001 - of another package: each is a mistake of one marker
        told = error if isinstance(error, (TypeError, ValueError)) else f"{type(error).__name__}: {error}"
        mistakes.append(f"{_spelled(mark)}: {told}; expected {mark.name}{_signature(function)}")
        return None
    if isinstance(meant, (Rules, Limit)):
        return meant
    mistakes.append(f"{_spelled(mark)}: {function.__module__} made {meant!r} of it, no pytest_aiperf.Limit; mend it")
    return None


def _signature(function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    parameters = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(inspect.Signature(parameters))


def _misspelt(name: str, registered: frozenset[str], limits: Iterable[str]) -> str | None:
    if name in registered:
        return None
    near = difflib.get_close_matches(name, limits, n=1, cutoff=_NEAR)
    return f"unknown marker {name}: did you mean {near[0]}?" if near else None


def _spelled(mark: pytest.Mark) -> str:
    arguments = [repr(value) for value in mark.args] + [f"{name}={value!r}" for name, value in mark.kwargs.items()]
    return f"{mark.name}({', '.join(arguments)})"

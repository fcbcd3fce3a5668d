"""Beside a memory figure that is bad: which lines held most at the peak, and which of them grew."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pytest_aiperf.judging.case import Case
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.baseline import Allocations
from pytest_aiperf.vocabulary.terms import HELD_BEFORE, Need, Phase, Unit

_LINE = re.compile(r"(?<=\.py):\d+")
MOST_NAMED = 3
NOTABLE = 1024.0**2
"""Bytes by which a line has to grow to be called grown."""
SHARE = 0.05
"""Of the figure, from which a line is named."""


def place_of(name: str) -> str:
    """What stays the same of a line when others are put above it: `net.py (weights = ...) < test_net.py`."""
    return _LINE.sub("", name)


def told(case: Case) -> tuple[str, ...]:
    """The largest lines; where a baseline has its own, those that grew most. Empty where nothing was traced."""
    now = _of(case, case.measurement.allocations)
    if not case.metric.peak or not now:
        return ()
    was = _of(case, case.baseline.allocations if case.baseline is not None else Allocations())
    return tuple(_grown(now, was)) if was else tuple(_held(now, case.now()))


def phases(case: Case) -> tuple[str, ...]:
    """The peak of each phase, of the process with the smallest one; empty where only one phase is known."""
    if not case.metric.peak:
        return ()
    known = [sample for sample in case.samples if any(phase.value in sample.parts for phase in Phase)]
    if not known:
        return ()
    parts = min(known, key=lambda sample: sample.values).parts
    named = [phase.value for phase in Phase if phase.value in parts]
    if parts.get(HELD_BEFORE, 0.0) >= NOTABLE:
        named.insert(0, HELD_BEFORE)
    told = [f"{name} {units.text(parts[name], Unit.BYTES)}" for name in named]
    return (f"peaks: {', '.join(told)}",) if len(told) > 1 else ()


def _held(now: Mapping[str, float], figure: float) -> Iterator[str]:
    """The largest lines that matter; first what no line holds, where that is most of the figure."""
    rest = figure - sum(now.values())
    if rest > figure / 2:
        yield f"{units.text(rest, Unit.BYTES)} allocated outside Python and torch (another runtime, its arena)"
    for name, size in _largest(now):
        if size > SHARE * figure:
            yield _line(name, size)


def _grown(now: Mapping[str, float], was: Mapping[str, float]) -> Iterator[str]:
    places = {place_of(name): size for name, size in was.items()}
    grown = {name: size - places.get(place_of(name), 0.0) for name, size in now.items()}
    most = [name for name, _ in _largest(grown) if grown[name] > NOTABLE]
    for name in most:
        before = places.get(place_of(name))
        yield _line(name, now[name], f" (was {units.text(before, Unit.BYTES)})" if before else " (new)")
    if not most:
        yield "no line of Python or torch holds more than in the baseline: another runtime, or its arena"


def _largest(sizes: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(sizes.items(), key=lambda item: -item[1])[:MOST_NAMED]


def _line(name: str, size: float, more: str = "") -> str:
    return f"{units.text(size, Unit.BYTES)}{more} held by {name}"


def _of(case: Case, allocations: Allocations) -> Mapping[str, float]:
    """Those on a device, or those on the processor."""
    return allocations.gpu if case.metric.needs is Need.GPU else allocations.host

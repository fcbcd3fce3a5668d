"""What all results of a run teach together: everything slower at once, and tests that cannot see their own limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from statistics import median

from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.records import Criteria, Result, Verdict
from pytest_aiperf.vocabulary.terms import Pairs

FEWEST_TOGETHER = 5
"""Tests whose shifts have a median worth telling."""
TOGETHER = 0.5
"""Share of `max_slowdown` that all tests shift together before it is told."""
MOST_NAMED = 3


def common_slowdown(results: Iterable[Result], *, metric: str) -> float | None:
    """Median slowdown of the tests against their sessions, as a fraction, where they all became slower together.

    `metric` counts seconds per call. A new dependency slows every test, each of them perhaps too little to be seen
    alone.
    """
    tests = _against_sessions(results, metric)
    seen = [(row.worse_by.mid, criteria.margins.max_slowdown) for _, criteria, row in tests if row.worse_by is not None]
    if len(seen) < FEWEST_TOGETHER:
        return None
    together, allowed = map(median, zip(*seen, strict=True))
    return together if together > TOGETHER * allowed else None


def notes(results: Sequence[Result], *, metric: str) -> tuple[str, ...]:
    """One sentence for each lesson of a metric of seconds per call."""
    return tuple(filter(None, (_together(results, metric), _blind(results, metric))))


def _together(results: Sequence[Result], metric: str) -> str:
    together = common_slowdown(results, metric=metric)
    if together is None:
        return ""
    share = units.share(together)
    return f"the tests became slower together, by {share} (median): a dependency, the machine, or code that all use"


def _blind(results: Sequence[Result], metric: str) -> str:
    """Tests whose sessions vary too much to show their own `max_slowdown`, unless pairs decide anyway."""
    seen = {
        test: row.sees
        for test, criteria, row in _against_sessions(results, metric)
        if row.sees is not None and row.sees > criteria.margins.max_slowdown and criteria.policy.pairs is Pairs.NEVER
    }
    if not seen:
        return ""
    named = sorted(seen, key=lambda test: -seen[test])[:MOST_NAMED]
    examples = ", ".join(f"{test} {_sees(seen[test])}" for test in named)
    who = "1 test cannot see its own" if len(seen) == 1 else f"{len(seen)} tests cannot see their own"
    return (
        f"{who} max_slowdown from the sessions stored here ({examples}): pair with --aiperf-against=REF, or set "
        "aiperf(max_slowdown=...)"
    )


def _sees(slowdown: float) -> str:
    share = units.share(slowdown)
    return f"sees {share} and more" if slowdown < 1 else f"sees a factor of {1 + slowdown:.1f}"


def _against_sessions(results: Iterable[Result], metric: str) -> Iterator[tuple[str, Criteria, Verdict]]:
    """Each test with the row of its slowest call against its sessions."""
    for result in results:
        rows = [row for row in result.verdicts if row.metric == metric and row.sees is not None and isfinite(row.sees)]
        if rows and result.criteria is not None:
            yield result.test, result.criteria, max(rows, key=lambda row: row.now or 0.0)


def seconds_per_call(result: Result, *, metric: str) -> float:
    """Median of its slowest measurement; 0 where it has none."""
    return max((row.now or 0.0 for row in result.verdicts if row.metric == metric), default=0.0)

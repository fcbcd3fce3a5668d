"""A stored run judged again from its recorded samples: the same numbers give the same verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pytest_aiperf.judging import judge
from pytest_aiperf.vocabulary.records import Result, Run, Verdict
from pytest_aiperf.vocabulary.terms import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The run with its verdicts as they come out now, and where they differ from the stored ones."""

    run: Run
    differences: tuple[str, ...]
    unjudged: int
    """Tests without recorded grounds: their body failed, or they come from an older version."""


def replay(run: Run, metrics: Mapping[str, Metric]) -> Replay:
    """Judge every test of a run again, by what it was judged by then."""
    results = tuple(_judged_again(result, run, metrics) for result in run.results)
    differences = tuple(
        f"{old.test}: {line}"
        for old, new in zip(run.results, results, strict=True)
        for line in _differences(old.verdicts, new.verdicts)
    )
    return Replay(
        run=replace(run, results=results),
        differences=differences,
        unjudged=sum(result.criteria is None for result in run.results),
    )


def _judged_again(result: Result, run: Run, metrics: Mapping[str, Metric]) -> Result:
    if result.criteria is None:
        return result
    verdicts = judge.verdicts(
        result.measurements, result.criteria, metrics=metrics, environment=run.environment, final=True
    )
    return replace(result, verdicts=verdicts)


def _differences(old: tuple[Verdict, ...], new: tuple[Verdict, ...]) -> list[str]:
    before, after = _by_row(old), _by_row(new)
    return [
        f"{title} was {_said(before.get((label, title)))}, is {_said(after.get((label, title)))}"
        for label, title in {**before, **after}
        if _said(before.get((label, title))) != _said(after.get((label, title)))
    ]


def _by_row(verdicts: tuple[Verdict, ...]) -> dict[tuple[str, str], Verdict]:
    return {(verdict.label, f"{verdict.title} {verdict.limit_source or ''}".strip()): verdict for verdict in verdicts}


def _said(verdict: Verdict | None) -> str:
    return "absent" if verdict is None else f"{verdict.status.value} ({verdict.reason})"

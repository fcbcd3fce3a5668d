"""The last run with its raw samples, in `.aiperf/` under the root: what `pytest-aiperf show` and `accept` read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_aiperf.machine import atomic_files
from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.contracts import Store
from pytest_aiperf.vocabulary.errors import AiperfError
from pytest_aiperf.vocabulary.records import Change, Run
from pytest_aiperf.vocabulary.terms import Metric

FOLDER = ".aiperf"


def save(root: Path, run: Run) -> None:
    """Keep a run in the place of the one before; the folder ignores itself in git. Raises OSError, AiperfError."""
    file = _file(root)
    with atomic_files.only_writer(file.parent):
        file.parent.mkdir(exist_ok=True)
        (file.parent / ".gitignore").write_text("*\n", encoding="utf-8")
        atomic_files.replace_text(file, codec.encode_run(run).decode())


def read(root: Path) -> Run:
    """The last run. Raises AiperfError where there is none."""
    if not (file := _file(root)).exists():
        raise AiperfError(f"{file}: no run is stored here; run `pytest --aiperf` first")
    return codec.read_run(file)


def only(run: Run, tests: Sequence[str]) -> Run:
    """The part of a run whose node ids contain one of `tests`; all of it where none is named. Raises AiperfError."""
    if not tests:
        return run
    chosen = tuple(result for result in run.results if any(part in result.test for part in tests))
    if not chosen:
        raise AiperfError(f"the last run has no test like {', '.join(tests)}; it has {len(run.results)} tests")
    return replace(run, results=chosen)


def accept(run: Run, store: Store, *, metrics: Mapping[str, Metric], accept_worse: bool) -> tuple[Change, ...]:
    """Store what the tests of a run measured, whether their verdicts passed or not.

    A test whose own body failed has no verdicts and is left out.
    """
    judged = [result for result in run.results if result.outcome == "passed" or result.verdicts]
    measurements = [entry for result in judged for entry in result.measurements]
    return store.update(
        measurements,
        environment=run.environment,
        metrics=metrics,
        accept_worse=accept_worse,
    )


def _file(root: Path) -> Path:
    return root / FOLDER / "last.json"

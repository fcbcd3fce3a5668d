"""Gathers the results of a run in one process; at its end stores baselines, writes reports and shows the summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_aiperf.baselines import unused
from pytest_aiperf.baselines.unused import Collected
from pytest_aiperf.judging import suite_trends
from pytest_aiperf.measuring.metrics import latency
from pytest_aiperf.reporting import rows
from pytest_aiperf.reporting.reporters import terminal
from pytest_aiperf.session import xdist
from pytest_aiperf.session.judgement import Judge
from pytest_aiperf.session.run_hooks import mistakes_text
from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.errors import AiperfError
from pytest_aiperf.vocabulary.records import Change, Environment, Result, Run
from pytest_aiperf.vocabulary.text import listed

Stored = Mapping[Path, Sequence[tuple[str, str]]]
"""Test module -> (node id, label) of every baseline."""


@dataclass(kw_only=True, eq=False)
class Recorder:
    """The hooks of the process that owns the run: the only one, or xdist's controller."""

    config: pytest.Config
    judge: Judge
    keep: Callable[[Run], object]
    """The whole run, with its raw samples."""
    write_reports: Callable[[Run], Sequence[str]]
    started_at: str
    commit: str | None
    results: dict[str, Result] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    """Node ids of tests, and of modules that skipped themselves."""
    collected: Collected | None = None
    mistakes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    run: Run | None = None

    def take_collected(self, collected: Collected) -> None:
        """What pytest found, once it is known."""
        self.collected = collected

    def note(self, text: str) -> None:
        """What is in no figure, such as what a test left on a device."""
        self.notes.append(text)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker how this pytest was called: its own fresh processes need it."""
        xdist.tell_worker(node, self.config)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what an xdist worker collected, and its mistakes in markers."""
        told = xdist.from_worker(node)
        self.mistakes = self.mistakes or list(told.mistakes)
        self.notes += told.notes
        self.collected = told.collected or self.collected

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note the modules that skip themselves, for want of a runtime: their tests are never seen."""
        if report.skipped:
            self.skipped.add(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the result of the last attempt at each test."""
        if report.when == "setup" or report.failed or report.when == "call":
            self.outcomes[report.nodeid] = report.outcome
        if report.skipped and report.when != "teardown" and not hasattr(report, "wasxfail"):
            self.skipped.add(report.nodeid)
        if encoded := getattr(report, "aiperf", None):
            self.results[report.nodeid] = codec.decode(encoded.encode(), Result)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Store, report, and let what is unused or broken fail the run."""
        if self.mistakes:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
            return
        left_over = self._unused(self._entries(self.judge.environment))
        changes = self._guarded(lambda: self._stored(left_over)) or ()
        dropped = {(change.test, change.label) for change in changes if change.new is None}
        run = self.run = Run(
            started_at=self.started_at,
            commit=self.commit,
            environment=self.judge.environment,
            results=tuple(self.results.values()),
            unused=tuple(unused.shown(test, label) for test, label in left_over if (test, label) not in dropped),
            changes=changes,
            notes=(
                *self._skipped_notes(self._entries(None)),
                *suite_trends.notes(tuple(self.results.values()), metric=latency.METRIC.name),
                *self.notes,
            ),
        )
        if self.results:
            run = self.run = self._kept(run)
        self.errors += self._guarded(lambda: self.write_reports(run)) or ()
        if self.judge.settings.unused == "fail" and run.unused:
            self.errors.append(
                f"unused baselines fail this run: {listed(run.unused)}; drop them with `pytest --aiperf-update`, "
                "or only report them with --aiperf-unused=warn"
            )
        decided, held = rows.decided(run)
        least = self.judge.settings.min_decided
        if held and decided < least * held:
            self.errors.append(
                f"decided {decided} of {held} figures, and --aiperf-min-decided={least:g} asks for "
                "more: name a commit to pair with (--aiperf-against=REF), or give pairs more time (aiperf_pairs_budget)"
            )
        if self.errors and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show what is not a plain pass."""
        if self.mistakes:
            terminalreporter.write_line(f"ERROR: {mistakes_text(self.mistakes)}", red=True)
        if self.run is None:
            return
        text = terminal.summary(
            self.run,
            verbosity=terminalreporter.verbosity,
            width=min(100, terminalreporter._tw.fullwidth),  # noqa: SLF001 - pytest offers no public width
            details=self.judge.settings.details,
            color=terminalreporter.hasmarkup,
        )
        if text.strip():
            terminalreporter.section("aiperf", sep="=", bold=True)
            terminalreporter.write(text if text.endswith("\n") else text + "\n")
        for error in self.errors:
            terminalreporter.write_line(f"aiperf: {error}", red=True)

    def _entries(self, environment: Environment | None) -> Stored:
        return self._guarded(lambda: self.judge.store.entries(Path(self.config.rootpath), environment)) or {}

    def _unused(self, stored: Stored) -> Sequence[tuple[str, str]]:
        if self.collected is None:
            return ()
        measured = {test: {entry.label for entry in result.measurements} for test, result in self.results.items()}
        root = Path(self.config.rootpath)
        return unused.find(self.collected, root=root, stored=stored, outcomes=self.outcomes, measured=measured)

    def _skipped_notes(self, stored: Stored) -> tuple[str, ...]:
        """Which baselines nobody was held against, because a fixture, a marker or a whole module skipped."""
        known = dict.fromkeys(test for entries in stored.values() for test, _ in entries)
        names = [test for test in known if test in self.skipped or test.partition("::")[0] in self.skipped]
        if not names:
            return ()
        were = "1 test with a baseline was" if len(names) == 1 else f"{len(names)} tests with baselines were"
        return (f"{were} skipped: {listed(names)}",)

    def _kept(self, run: Run) -> Run:
        """The run, kept for `pytest-aiperf`; in a checkout that nobody may write into, with a note that it is not."""
        try:
            self.keep(run)
        except OSError as error:
            return replace(run, notes=(*run.notes, f"the last run is not kept for `pytest-aiperf show`: {error}"))
        return run

    def _stored(self, left_over: Sequence[tuple[str, str]]) -> tuple[Change, ...]:
        if not self.judge.stores:
            return ()
        cleans = self.judge.settings.update and not self.judge.settings.no_cleanup
        measurements = [
            measurement
            for result in self.results.values()
            if result.outcome == "passed"
            for measurement in result.measurements
            if measurement.reference is None  # a comparison brings its own
        ]
        return self.judge.store.update(
            measurements,
            environment=self.judge.environment,
            metrics=self.judge.metrics,
            drop=tuple(left_over) if cleans else (),
            new_only=self.judge.settings.update_new_only and not self.judge.settings.update,
            accept_worse=self.judge.settings.accept_worse,
        )

    def _guarded(self, action: Callable[[], Any]) -> Any:
        """An error of ours or of the disk at the end of a run is a red line and exit 1, never an INTERNALERROR."""
        try:
            return action()
        except (AiperfError, OSError) as error:
            if str(error) not in self.errors:
                self.errors.append(str(error))
            return None

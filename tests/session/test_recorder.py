"""The end of a run: what is noted, what fails it, and why."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_aiperf.baselines import last_run
from pytest_aiperf.baselines.unused import Collected
from pytest_aiperf.session.recorder import Recorder
from pytest_aiperf.vocabulary.errors import BaselineError
from pytest_aiperf.vocabulary.records import Environment, Result, Verdict
from pytest_aiperf.vocabulary.terms import Status, Unit


class Entries:
    """A store that only tells what it has, some of it for other machine classes alone."""

    def __init__(self, *tests: str, elsewhere: Sequence[str] = ()) -> None:
        self.tests = tests
        self.elsewhere = elsewhere

    def entries(self, root: Path, environment: Environment | None = None) -> dict[Path, list[tuple[str, str]]]:
        found: dict[Path, list[tuple[str, str]]] = {}
        for test in self.tests if environment else (*self.tests, *self.elsewhere):
            found.setdefault(root / test.partition("::")[0], []).append((test, ""))
        return found


class Broken:
    """A store whose one file is in conflict."""

    def entries(self, root, environment=None):
        raise BaselineError("__aiperf__/test_x.json, line 3: unresolved merge conflict")

    def update(self, measurements, **terms):
        self.entries(None)


class Screen:
    """What pytest's terminal reporter shows."""

    hasmarkup = False
    _tw = SimpleNamespace(fullwidth=100)

    def __init__(self, verbosity: int) -> None:
        self.verbosity = verbosity
        self.text = ""

    def section(self, title, **style):
        self.text += f"== {title} ==\n"

    def write(self, text):
        self.text += text

    def write_line(self, text, **style):
        self.text += text + "\n"


def book(root, store, *, unused="warn", write_reports=lambda run: [], **more):
    settings = SimpleNamespace(
        **{"unused": unused, "min_decided": 0.0, "update": False, "update_new_only": False, "details": False, **more}
    )
    judge = SimpleNamespace(
        settings=settings,
        store=store,
        stores=settings.update or settings.update_new_only,
        environment=Environment(key="here", comparable={}, details={}),
        metrics={},
    )
    return Recorder(
        config=SimpleNamespace(rootpath=root),
        judge=judge,
        keep=functools.partial(last_run.save, root),
        write_reports=write_reports,
        started_at="",
        commit=None,
    )


def report(test, outcome, when="call", **more):
    made = pytest.TestReport(test, ("", 0, ""), {}, outcome, None, when)
    made.__dict__.update(more)
    return made


def finished(one):
    session = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    one.pytest_sessionfinish(session)
    return session.exitstatus


def screen(one, verbosity=0):
    seen = Screen(verbosity)
    one.pytest_terminal_summary(seen)
    return seen.text


def test_it_lists_tests_with_baselines_that_were_skipped_and_does_not_fail_for_them(tmp_path):
    one = book(tmp_path, Entries("a.py::skipped", "a.py::ran", "a.py::xfailed", "b.py::t", "a.py::late"), unused="fail")
    one.pytest_runtest_logreport(report("a.py::skipped", "skipped", "setup"))
    one.pytest_runtest_logreport(report("a.py::ran", "passed"))
    one.pytest_runtest_logreport(report("a.py::xfailed", "skipped", wasxfail="known"))
    one.pytest_runtest_logreport(report("a.py::late", "skipped", "teardown"))
    one.pytest_runtest_logreport(report("a.py::without_baseline", "skipped"))
    one.pytest_collectreport(pytest.CollectReport("b.py", "skipped", ("b.py", 1, "no torch"), []))
    assert finished(one) == pytest.ExitCode.OK
    for verbosity in (-1, 0, 1):
        assert "2 tests with baselines were skipped: a.py::skipped, b.py::t\n" in screen(one, verbosity)


def test_it_calls_nothing_unused_and_something_skipped_that_only_other_machine_classes_have(tmp_path):
    (tmp_path / "a.py").touch()
    one = book(tmp_path, Entries("a.py::gone", elsewhere=["a.py::on_gpu", "a.py::skipped_here"]))
    one.take_collected(Collected(tests=["a.py::skipped_here"], modules=["a.py"], folders=["."], subset=False))
    one.pytest_runtest_logreport(report("a.py::skipped_here", "skipped", "setup"))
    finished(one)
    assert one.run.unused == ("a.py::gone",)
    assert one.run.notes == ("1 test with a baseline was skipped: a.py::skipped_here",)


def test_it_counts_many_skipped_tests(tmp_path):
    one = book(tmp_path, Entries(*(f"a.py::t{number}" for number in range(9))))
    one.pytest_collectreport(pytest.CollectReport("a.py", "skipped", ("a.py", 1, ""), []))
    finished(one)
    assert one.run.notes == ("9 tests with baselines were skipped: a.py::t0, a.py::t1, a.py::t2 and 6 more",)


def test_it_notes_a_checkout_that_nobody_may_write_into_and_fails_nothing(tmp_path):
    (tmp_path / last_run.FOLDER).write_text("a file where a folder should be")
    told = []
    one = book(tmp_path, Entries(), write_reports=lambda run: told.extend(run.notes) or [])
    one.results["a.py::t"] = Result(test="a.py::t", outcome="passed", environment="", measurements=(), verdicts=())
    assert finished(one) == pytest.ExitCode.OK
    assert "note: the last run is not kept for `pytest-aiperf show`" in screen(one)
    assert told == list(one.run.notes)


@pytest.mark.parametrize("verbosity", [-1, 0, 1])
def test_it_says_at_every_verbosity_that_unused_baselines_failed_the_run(tmp_path, verbosity):
    (tmp_path / "a.py").touch()
    one = book(tmp_path, Entries("a.py::gone"), unused="fail")
    one.take_collected(Collected(tests=[], modules=["a.py"], folders=["."], subset=False))
    assert finished(one) == pytest.ExitCode.TESTS_FAILED
    assert "aiperf: unused baselines fail this run: a.py::gone; drop them with" in screen(one, verbosity)


@pytest.mark.parametrize("verbosity", [-1, 0, 1])
def test_it_says_at_every_verbosity_that_a_report_could_not_be_written(tmp_path, verbosity):
    one = book(tmp_path, Entries(), write_reports=lambda run: ["report json:x was not written: disk full"])
    assert finished(one) == pytest.ExitCode.TESTS_FAILED
    assert "aiperf: report json:x was not written: disk full" in screen(one, verbosity)


def test_it_fails_by_a_broken_baseline_file_and_says_so_once(tmp_path):
    one = book(tmp_path, Broken(), update=True, no_cleanup=False, accept_worse=False)
    assert finished(one) == pytest.ExitCode.TESTS_FAILED
    assert screen(one).count("unresolved merge conflict") == 1


@pytest.mark.parametrize(
    ("statuses", "wanted", "fails"),
    [
        ("passed regressed inconclusive new", 0.6, False),
        ("passed regressed inconclusive new", 0.7, True),
        ("passed inconclusive unmeasured", 0.0, False),
        ("new new", 1.0, False),
        ("", 1.0, False),
    ],
)
def test_it_fails_a_run_that_decided_less_than_was_asked_for(tmp_path, statuses, wanted, fails):
    one = book(tmp_path, Entries(), min_decided=wanted)
    verdicts = tuple(
        Verdict(label="", metric="latency", title="latency", unit=Unit.SECONDS, status=Status(word), reason="")
        for word in statuses.split()
    )
    if verdicts:
        measured = Result(test="a.py::t", outcome="passed", environment="here", measurements=(), verdicts=verdicts)
        one.results["a.py::t"] = measured
    assert (finished(one) == pytest.ExitCode.TESTS_FAILED) is fails
    told = " ".join(screen(one).split())
    assert ("decided 2 of 3 figures, and --aiperf-min-decided=0.7 asks for more" in told) is fails
    assert ("; decided " in told) is ("inconclusive" in statuses)

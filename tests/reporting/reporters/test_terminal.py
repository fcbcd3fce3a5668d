"""The summary at the end of a run."""

from __future__ import annotations

import dataclasses
import re

import pytest

from pytest_aiperf.reporting.reporters import terminal
from pytest_aiperf.vocabulary.records import Change, Environment, Run
from pytest_aiperf.vocabulary.terms import Status, Unit
from tests.reporting.reporters.golden_files import assert_golden
from tests.reporting.reporters.realistic import CHANGES, INT8, KEY, RUN, no_baseline, result, verdict


def run_of(*results, **fields) -> Run:
    environment = Environment(key=KEY, comparable={}, details={})
    return Run(**{"started_at": "", "commit": None, "environment": environment, "results": tuple(results), **fields})


def passing(test: str):
    return result(test, verdict("latency", Status.PASSED, now=1e-3))


@pytest.mark.parametrize(
    ("golden", "options"),
    [
        ("terminal.txt", {}),
        ("terminal_verbose.txt", {"verbosity": 1}),
        ("terminal_quiet.txt", {"verbosity": -1}),
        ("terminal_details.txt", {"details": True}),
        ("terminal_narrow.txt", {"width": 60}),
    ],
)
def test_it_shows_a_realistic_run(golden, options):
    assert_golden(golden, terminal.summary(RUN, **options) + "\n")


def test_it_shows_what_an_update_stored():
    run = dataclasses.replace(RUN, results=RUN.results[1:2], changes=CHANGES, unused=(), notes=())
    assert_golden("terminal_update.txt", terminal.summary(run) + "\n")


@pytest.mark.parametrize("width", [200, 100, 80, 50])
@pytest.mark.parametrize("details", [False, True])
def test_it_stays_within_its_width_and_within_100_columns(width, details):
    text = terminal.summary(dataclasses.replace(RUN, changes=CHANGES), width=width, details=details)
    assert max(map(len, text.splitlines())) <= min(width, 100)


def test_it_gives_up_getting_narrower_at_40_columns():
    assert terminal.summary(RUN, width=3) == terminal.summary(RUN, width=40)


def test_it_is_one_line_where_everything_passed():
    text = terminal.summary(run_of(passing("a.py::t"), passing("a.py::u")))
    assert text == f"aiperf: 2 tests, 2 figures: 2 passed on {KEY} (14 s measuring)"


def test_it_says_so_where_nothing_was_measured():
    assert terminal.summary(run_of()) == f"aiperf: nothing was measured on {KEY}"


def test_it_has_one_line_for_many_alike():
    tests = [f"tests/test_zoo.py::test_{number}" for number in range(50)]
    text = terminal.summary(run_of(*(result(test, no_baseline("latency", test, 1e-3)) for test in tests)))
    assert text.splitlines()[:4] == [
        "50 figures of 50 tests new: no baseline",
        "  tests/test_zoo.py::test_0, tests/test_zoo.py::test_1, tests/test_zoo.py::test_2 and 47 more",
        "to record what is new: pytest --aiperf-update-new-only",
        f"aiperf: 50 tests, 50 figures: 50 new on {KEY} (5 min 45 s measuring)",
    ]


@pytest.mark.parametrize(("count", "rows"), [(4, 4), (5, 0)])
def test_it_shows_a_few_alike_one_by_one(count, rows):
    tests = [f"a.py::t{number}" for number in range(count)]
    text = terminal.summary(run_of(*(result(test, no_baseline("latency", test, 1e-3)) for test in tests)))
    assert len(re.findall("latency p50", text)) == rows


def test_it_never_folds_a_regression():
    slower = verdict("latency", Status.REGRESSED, message="10 pairs", now=2e-3, baseline=1e-3, fails=True)
    text = terminal.summary(run_of(*(result(f"a.py::t{number}", slower) for number in range(50))))
    assert text.count("REGRESSED") == 50


def test_it_gives_the_command_for_new_figures_once_and_not_while_storing():
    news = [result(test, no_baseline("latency", test, 1e-3)) for test in ("a.py::t", "a.py::u")]
    assert terminal.summary(run_of(*news)).count("pytest --aiperf") == 1
    assert "pytest --aiperf" not in terminal.summary(run_of(*news, changes=CHANGES[:1]))


def test_it_colours_words_only_when_asked():
    plain, coloured = terminal.summary(RUN), terminal.summary(RUN, color=True)
    assert "\x1b" not in plain
    assert "\x1b[31mREGRESSED\x1b[0m" in coloured
    assert "\x1b[32mimproved\x1b[0m" in coloured
    assert "\x1b[33minconclusive\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain


def test_it_colours_an_open_answer_red_where_it_fails():
    failing = verdict("latency", Status.NEW, now=1e-3, fails=True)
    assert "\x1b[31mNEW\x1b[0m" in terminal.summary(run_of(result("a.py::t", failing)), color=True)


def change(number: int, old: float | None) -> Change:
    return Change(
        test=f"a.py::t{number}", label="", metric="latency", unit=Unit.SECONDS, old=old, new=1e-3 * (number + 1)
    )


def test_it_counts_values_stored_for_the_first_time_where_they_are_many():
    text = terminal.summary(run_of(INT8, changes=tuple(change(number, None) for number in range(40))))
    assert "stored: 40 new\n" in text
    assert "a.py::t1" not in text


def test_it_cuts_a_long_list_of_changes_unless_verbose():
    run = run_of(passing("a.py::t"), changes=tuple(change(number, 1.0) for number in range(40)))
    assert "  and 10 more (-v shows all)" in terminal.summary(run)
    assert terminal.summary(run, verbosity=1).count(" -> ") == 40


def test_it_shows_parts_of_a_figure_in_its_own_unit():
    details = terminal.summary(run_of(INT8), details=True)
    assert "load_warm: read and build 90.0 ms, first inference 31.0 ms" in details
    assert "model: providers CPUExecutionProvider, threads 2, dtype int8" in details


def test_it_names_the_reason_of_what_is_unmeasured_only_where_there_is_one():
    no_gpu = verdict("gpu_allocated", Status.UNMEASURED, message="no GPU")
    no_counter = verdict("ram", Status.UNMEASURED, message="no counter")
    assert "2 unmeasured (no GPU) on" in terminal.summary(run_of(result("a.py::t", no_gpu, no_gpu)))
    assert "2 unmeasured on" in terminal.summary(run_of(result("a.py::t", no_gpu, no_counter)))

"""The shell's commands that look at the machine."""

from __future__ import annotations

import sys

import pytest

from tests.plugin.repository import BUSY

pytestmark = pytest.mark.slow

CLI = (sys.executable, "-m", "pytest_aiperf.cli")


def test_a_selfcheck_runs_the_tests_of_the_last_run(project, repository):
    repository(code=BUSY)
    assert project.pytester.run(*CLI, "selfcheck").ret == 1
    project.pytest("--aiperf")
    result = project.pytester.run(*CLI, "selfcheck", "--minutes=0.1", "--max-slowdown=0.5", "--seed=7")
    assert result.ret == 0, result.stderr.str()
    text = result.stdout.str()
    assert "tests/test_net.py::test_forward" in text
    assert "false alarms: 0 of 1" in text or "undisturbed" in text
    assert text.rstrip().endswith("seed 7")


def test_a_selfcheck_says_why_a_named_test_cannot_be_checked(project, repository):
    repository()
    result = project.pytester.run(*CLI, "selfcheck", "tests/test_net.py::test_gone", "--minutes=0.1")
    assert result.ret == 0
    assert "not checked:" in result.stdout.str()


def test_the_doctor_reports_in_a_hundred_columns(project):
    result = project.pytester.run(*CLI, "doctor")
    assert result.ret == 0
    lines = result.stdout.str().splitlines()
    assert any(line.startswith(("fine", "NOISY")) for line in lines)
    assert max(map(len, lines)) <= 100


def test_a_replay_of_something_else_says_what_it_needs(project):
    project.write("other.json", "{}")
    for name, says in (("other.json", "this is not a run"), ("gone.json", "--aiperf-report=json:gone.json")):
        result = project.pytester.run(*CLI, "replay", name)
        assert result.ret == 1
        assert says in result.stderr.str()

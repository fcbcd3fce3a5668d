"""Whatever ends a run while its pairs are at work: no process, no tree, no stopped child is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.plugin.repository import BUSY

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="fresh processes need POSIX for now")]

PATIENCE = 60.0
NAP = 0.05


def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(NAP)


def children_of(process):
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def paired(process):
    """Both sides are running, one of them stopped."""
    return any(status(child) == psutil.STATUS_STOPPED for child in children_of(process))


def alive(processes):
    return [one for one in processes if status(one) != psutil.STATUS_ZOMBIE]


def status(process):
    """A zombie's where it is gone, which may happen between any two questions."""
    try:
        return process.status() if process.is_running() else psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return psutil.STATUS_ZOMBIE


@pytest.mark.usefixtures("_hears_ctrl_c")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["Ctrl-C", "kill", "kill -9"])
def test_nothing_survives_the_end_of_the_parent(project, repository, ending):
    made = repository(code=BUSY)
    made.slow_down(0.02)
    made.commit("a little slower")
    command = [sys.executable, "-m", "pytest", "--aiperf", "--aiperf-against=HEAD~1", "--aiperf-pairs=always"]
    with subprocess.Popen(
        [*command, "--aiperf-seconds=0.02"], cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as run:
        until(lambda: paired(run) or run.poll() is not None, "no pair was ever at work")
        assert run.poll() is None, run.stdout.read().decode()
        assert len(made.trees()) == 2
        group = children_of(run)
        run.send_signal(ending)
        output = run.stdout.read().decode()
    assert run.returncode != 0
    until(lambda: not alive(group), f"left running: {alive(group)}")
    until(lambda: made.trees() == [f"worktree {project.root}"], f"left behind: {made.trees()}")
    until(lambda: made.left_over() == [], f"left behind: {made.left_over()}")
    if ending is signal.SIGINT:
        assert "interrupted before its pairs had decided" in " ".join(output.split())


def test_a_side_that_hangs_is_a_reason_and_is_ended(project, repository):
    made = repository(code=BUSY)
    made.change_net("    total = x\n", "    total = x\n    hang()\n")
    made.change_net(
        "def forward",
        "import os, time\n\ndef hang():\n    if 'aiperf-' in __file__:\n        time.sleep(600)\n\ndef forward",
    )
    made.commit("hangs as old code")
    made.git("commit", "-q", "--allow-empty", "-m", "nothing")
    project.pytest("--aiperf", "--aiperf-against=HEAD~1", "--aiperf-timeout=10")
    rows = project.last()["tests/test_net.py::test_forward"]["verdicts"]
    assert {row["reason"] for row in rows} == {"not_compared"}
    assert all("old code: hung: no end after 10 s" in row["message"] for row in rows)
    assert made.left_over() == []
    assert not [one for one in alive(psutil.Process().children(recursive=True)) if "pytest" in one.cmdline()]


def test_a_failing_test_with_x_leaves_the_others_undecided(project, repository):
    made = repository(code=BUSY)
    project.write("tests/test_zz.py", "def test_red():\n    assert False\n")
    made.commit("red")
    result = project.pytest("--aiperf", "--aiperf-against=HEAD~1", "-x")
    result.assert_outcomes(failed=1, passed=1)
    (row, *_) = project.last()["tests/test_net.py::test_forward"]["verdicts"]
    assert (row["status"], row["message"]) == ("inconclusive", "the run was stopped before its pairs")
    assert made.trees() == [f"worktree {project.root}"]


@pytest.mark.usefixtures("_hears_ctrl_c")
def test_a_reaper_that_died_is_told(project, repository):
    made = repository(code=BUSY)
    made.slow_down(0.02)
    made.commit("a little slower")
    command = [sys.executable, "-m", "pytest", "--aiperf", "--aiperf-against=HEAD~1", "--aiperf-pairs=always"]
    with subprocess.Popen(
        [*command, "--aiperf-seconds=0.02"], cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as run:
        until(lambda: paired(run) or run.poll() is not None, "no pair was ever at work")
        (reaper,) = [child for child in children_of(run) if "reaper.py" in " ".join(child.cmdline())]
        reaper.kill()
        reaper.wait(PATIENCE)
        run.send_signal(signal.SIGINT)
        output = run.stdout.read().decode()
    assert "the process that cleans up after a crash was gone" in output

"""A killed parent leaves neither a process nor a worktree behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_aiperf.processes.reaper import kill_group
from tests.processes.worktree.projects import git, repository

PATIENCE_SECONDS = 20.0
PARENT = """
import os, signal, subprocess, sys, time
from pathlib import Path
from pytest_aiperf.processes.reaper import Reaper
from pytest_aiperf.processes.git import resolve
from pytest_aiperf.processes.worktree import Worktree

reaper = Reaper(print)
reference = resolve(Path(sys.argv[1]), "HEAD")
watch = lambda folder: reaper.watch_folder(folder, reference.toplevel)
tree = Worktree(reference, test_files=(), config_file=None, share=(), register=watch)
tree.create()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
reaper.watch_process(child.pid)
os.kill(child.pid, signal.SIGSTOP)
if sys.argv[2] == "forking" and os.fork() == 0:
    time.sleep(60)
    os._exit(0)
print(child.pid, tree.root, reaper._process.pid, flush=True)
time.sleep(600)
"""


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def has_ended(pid: int) -> bool:
    """Whether a process is gone; where nobody reaps orphans it stays as a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def worktrees(toplevel: Path) -> int:
    return git(toplevel, "worktree", "list", "--porcelain").count("worktree ")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc whether a process has ended")
@pytest.mark.parametrize(
    ("how", "kill"),
    [
        ("plain", lambda pid: os.kill(pid, signal.SIGKILL)),
        ("plain", lambda pid: os.kill(pid, signal.SIGTERM)),
        ("plain", lambda pid: os.killpg(pid, signal.SIGKILL)),
        ("forking", lambda pid: os.kill(pid, signal.SIGKILL)),
    ],
    ids=["SIGKILL", "SIGTERM", "its process group", "a fork holds the pipe"],
)
def test_it_cleans_up_after_a_parent_that_was_killed(
    tmp_path: Path, temporary: Path, how: str, kill: Callable[[int], None]
) -> None:
    toplevel = repository(tmp_path / "project")
    command = [sys.executable, "-c", PARENT, str(toplevel), how]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    groups = [parent.pid]
    try:
        child, root, reaper = parent.stdout.readline().split()
        groups.append(int(child))
        assert Path(root).is_dir()
        assert worktrees(toplevel) == 2
        kill(parent.pid)
        parent.wait(PATIENCE_SECONDS)
        assert eventually(lambda: has_ended(int(child)))
        assert eventually(lambda: has_ended(int(reaper)))
    finally:
        parent.stdout.close()
        for group in groups:
            kill_group(group)
        parent.wait()
    assert list(temporary.iterdir()) == []
    assert worktrees(toplevel) == 1

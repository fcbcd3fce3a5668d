"""What is cleaned up when the parent is gone, and what is left alone."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_aiperf.processes.reaper import Reaper, git, is_ours, keep_watch, kill_group, remove_folder
from tests.processes.worktree.projects import repository

PATIENCE_SECONDS = 20.0
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def worktrees(toplevel: Path) -> int:
    return git(toplevel, "worktree", "list", "--porcelain").stdout.count(b"worktree ")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class TestWatching:
    def cleaned_up(self, *messages: list[object] | bytes) -> list[object]:
        lines = [message if isinstance(message, bytes) else json.dumps(message).encode() for message in messages]
        done: list[object] = []
        keep_watch(lines, kill=done.append, remove=lambda *folder: done.append(folder))
        return done

    def test_it_kills_first_and_removes_afterwards(self) -> None:
        messages = [["watch", "folder", "/t/aiperf-a", "/repo"], ["watch", "process", 7], ["watch", "process", 8]]
        assert self.cleaned_up(*messages) == [7, 8, ("/t/aiperf-a", "/repo")]

    def test_it_leaves_alone_what_was_forgotten(self) -> None:
        watched = [["watch", "folder", "/t/aiperf-a", "/repo"], ["watch", "process", 7], ["watch", "process", 8]]
        forgotten = [["forget", "process", 7], ["forget", "folder", "/t/aiperf-a"], ["forget", "process", 99]]
        assert self.cleaned_up(*watched, *forgotten) == [8]

    def test_it_touches_nothing_once_told_to_leave(self) -> None:
        assert self.cleaned_up(["watch", "process", 7], ["leave"], ["watch", "process", 8]) == []

    @pytest.mark.parametrize("broken", [b"", b'["watch", "proc', b"\xff", b"7", b'["watch", "process", "7"]', b"[]"])
    def test_it_passes_over_a_broken_line(self, broken: bytes) -> None:
        assert self.cleaned_up(["watch", "process", 7], broken, ["watch", "process", 8]) == [7, 8]


class TestRemoving:
    @pytest.mark.parametrize(
        ("name", "ours"),
        [
            ("temporary/aiperf-x", True),
            ("temporary/other", False),
            ("temporary/aiperf-link", False),
            ("temporary/aiperf-file", False),
            ("temporary/aiperf-gone", False),
            ("temporary/aiperf-x/aiperf-inner", False),
            ("temporary/aiperf-x/..", False),
            ("project/aiperf-x", False),
        ],
    )
    def test_it_knows_its_own_folders(self, tmp_path: Path, temporary: Path, name: str, ours: bool) -> None:
        for folder in ("temporary/aiperf-x/aiperf-inner", "temporary/other", "project/aiperf-x"):
            (tmp_path / folder).mkdir(parents=True)
        (temporary / "aiperf-link").symlink_to(tmp_path / "project")
        (temporary / "aiperf-file").touch()
        assert is_ours(tmp_path / name, temporary) is ours

    def test_it_removes_the_worktree_and_never_follows_a_link(self, tmp_path: Path, temporary: Path) -> None:
        toplevel, mine = repository(tmp_path / "project"), tmp_path / "mine"
        mine.mkdir()
        (mine / "data.bin").touch()
        folder = temporary / "aiperf-x"
        assert git(toplevel, "worktree", "add", "--detach", str(folder / "project")).returncode == 0
        (folder / "project/data").symlink_to(mine)
        (folder / "data").symlink_to(mine)
        assert git(toplevel, "worktree", "add", "--detach", str(tmp_path / "another")).returncode == 0
        (folder / "another").symlink_to(tmp_path / "another")
        remove_folder(folder, toplevel)
        assert not folder.exists()
        assert worktrees(toplevel) == 2
        assert (mine / "data.bin").exists()

    def test_it_removes_the_folder_where_the_repository_is_gone(self, tmp_path: Path, temporary: Path) -> None:
        folder = temporary / "aiperf-x"
        (folder / "project").mkdir(parents=True)
        remove_folder(folder, tmp_path / "gone")
        assert not folder.exists()

    @pytest.mark.parametrize("pid", [1, 0, -1])
    def test_it_never_signals_everything(self, monkeypatch: pytest.MonkeyPatch, pid: int) -> None:
        killed: list[int] = []
        monkeypatch.setattr(os, "killpg", lambda group, _: killed.append(group))
        kill_group(pid)
        assert killed == []
        kill_group(2)
        assert killed == [2]


class TestParent:
    @pytest.fixture
    def told(self) -> list[str]:
        return []

    @pytest.fixture
    def reaper(self, temporary: Path, told: list[str]) -> Iterator[Reaper]:
        reaper = Reaper(told.append)
        yield reaper
        reaper.close()

    @pytest.fixture
    def sleeper(self) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(SLEEPER, start_new_session=True) as process:
            yield process
            process.kill()

    def process_of(self, reaper: Reaper) -> subprocess.Popen[bytes]:
        assert reaper._process is not None
        return reaper._process

    def orphaned(self, reaper: Reaper) -> int:
        """The reaper's pipe ends, as it does when the parent dies; its exit code."""
        process, reaper._process = self.process_of(reaper), None
        process.stdin.close()
        return process.wait(PATIENCE_SECONDS)

    def test_it_starts_nothing_before_there_is_something_to_watch(self, reaper: Reaper) -> None:
        reaper.forget_process(os.getpid())
        assert reaper._process is None

    def test_it_leaves_quietly_when_closed(
        self, reaper: Reaper, sleeper: subprocess.Popen[bytes], told: list[str]
    ) -> None:
        reaper.watch_process(sleeper.pid)
        process = self.process_of(reaper)
        reaper.close()
        reaper.close()
        assert process.returncode == 0
        assert sleeper.poll() is None
        assert told == []

    def test_it_lives_in_a_session_of_its_own(self, reaper: Reaper, sleeper: subprocess.Popen[bytes]) -> None:
        reaper.watch_process(sleeper.pid)
        pid = self.process_of(reaper).pid
        assert os.getsid(pid) == os.getpgid(pid) == pid

    def test_it_cleans_up_when_its_pipe_ends(
        self, reaper: Reaper, sleeper: subprocess.Popen[bytes], tmp_path: Path, temporary: Path
    ) -> None:
        toplevel, folder = repository(tmp_path / "project"), temporary / "aiperf-x"
        assert git(toplevel, "worktree", "add", "--detach", str(folder / "ü b")).returncode == 0
        reaper.watch_folder(folder, toplevel)
        reaper.watch_process(sleeper.pid)
        os.kill(sleeper.pid, signal.SIGSTOP)
        assert self.orphaned(reaper) == 0
        assert sleeper.wait(PATIENCE_SECONDS) == -signal.SIGKILL
        assert not folder.exists()
        assert worktrees(toplevel) == 1

    def test_it_removes_a_folder_without_a_repository(self, reaper: Reaper, temporary: Path) -> None:
        (temporary / "aiperf-x/inner").mkdir(parents=True)
        reaper.watch_folder(temporary / "aiperf-x")
        assert self.orphaned(reaper) == 0
        assert list(temporary.iterdir()) == []

    def test_it_never_removes_a_folder_of_another_name(self, reaper: Reaper, tmp_path: Path) -> None:
        reaper.watch_folder(tmp_path, tmp_path)
        assert self.orphaned(reaper) == 0
        assert tmp_path.exists()

    def test_it_is_started_once_more_where_it_died(
        self, reaper: Reaper, sleeper: subprocess.Popen[bytes], temporary: Path, told: list[str]
    ) -> None:
        reaper.watch_process(sleeper.pid)
        first = self.process_of(reaper)
        first.kill()
        first.wait()
        reaper.watch_folder(temporary / "aiperf-x", temporary)
        second = self.process_of(reaper)
        assert second.pid != first.pid
        assert len(told) == 1
        assert "was gone" in told[0]
        assert self.orphaned(reaper) == 0
        assert sleeper.wait(PATIENCE_SECONDS) == -signal.SIGKILL  # the second one knows what the first one watched

    def test_it_gives_up_after_the_second_without_raising(self, reaper: Reaper, told: list[str]) -> None:
        for _ in range(2):
            reaper.watch_process(2**30)
            process = self.process_of(reaper)
            process.kill()
            process.wait()
        reaper.watch_process(2**30 + 1)
        reaper.watch_process(2**30 + 2)
        reaper.forget_process(2**30)
        assert reaper._process is None
        assert len(told) == 2

    def test_it_does_not_raise_where_nothing_can_be_started(
        self, reaper: Reaper, told: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", "/nonexistent/python")
        reaper.watch_process(2**30)
        assert "no process could be started" in told[0]

    def test_it_does_not_hang_with_a_reaper_that_hangs(self, reaper: Reaper, told: list[str]) -> None:
        reaper.watch_process(2**30)
        process = self.process_of(reaper)
        os.kill(process.pid, signal.SIGSTOP)
        for _ in range(10_000):
            reaper.watch_process(2**30)
            if told:
                break
        assert process.returncode == -signal.SIGKILL
        assert len(told) == 1

    def test_it_is_silent_in_a_fork(
        self, reaper: Reaper, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reaper.watch_process(sleeper.pid)
        process = self.process_of(reaper)
        with monkeypatch.context() as fork:
            fork.setattr(os, "getpid", lambda: 2**30)
            reaper.close()
        reaper._process = process
        assert self.orphaned(reaper) == 0
        assert sleeper.wait(PATIENCE_SECONDS) == -signal.SIGKILL

    def test_it_holds_no_other_pipe_of_the_parent(self, reaper: Reaper) -> None:
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        reaper.watch_process(2**30)
        os.close(writing)
        assert select.select([reading], [], [], PATIENCE_SECONDS)[0] == [reading]
        assert os.read(reading, 1) == b""
        os.close(reading)

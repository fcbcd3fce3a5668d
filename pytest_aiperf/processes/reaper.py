"""A small process that ends children and removes worktrees when its parent is gone, however the parent went."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

PREFIX = "aiperf-"
"""Of every temporary folder; nothing else is ever removed."""
ON_DISK = Path("/var/tmp")  # noqa: S108 - `mkdtemp` makes folders in it
"""Temporary folders that outlive a restart, so not in memory, as those of `TMPDIR` may be."""
REDIRECTIONS = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE"),
    *("GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH"),
    *("GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_ATTR_SOURCE"),
    *("GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"),
)
"""Variables that point git elsewhere: set for everything that a git hook starts."""
GIT_SECONDS = 120.0
GRACE_SECONDS = 5.0
ORPHAN_CHECK_SECONDS = 1.0
STARTS = 2
DELETE_ATTEMPTS = 10
PAUSE_SECONDS = 0.2


class Reaper:
    """Started lazily at the first thing to watch over; a reaper that died is started once more, and told."""

    def __init__(self, tell: Callable[[str], None] = lambda _: None, *, starts: int = STARTS) -> None:
        self._tell = tell
        self._watched: dict[tuple[str, int | str], tuple[str, ...]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._starts = self._starts_left = starts

    def watch_process(self, pid: int) -> None:
        """The leader of its own process group."""
        self._watch(("process", pid))

    def forget_process(self, pid: int) -> None:
        """It has ended, and was reaped or is about to be."""
        self._forget(("process", pid))

    def watch_folder(self, folder: Path, toplevel: Path | None = None) -> None:
        """A temporary folder; with `toplevel`, one that holds, or will hold, a git worktree of the repository there."""
        self._watch(("folder", str(folder.absolute())), str(toplevel.absolute()) if toplevel else "")

    def forget_folder(self, folder: Path) -> None:
        """It has been removed."""
        self._forget(("folder", str(folder.absolute())))

    def close(self) -> None:
        """Everything was cleaned up by its owner: the reaper leaves without touching anything."""
        self._watched.clear()
        self._say("leave")
        self._let_go(patience=GRACE_SECONDS)
        self._starts_left = self._starts

    def _watch(self, thing: tuple[str, int | str], *more: str) -> None:
        self._watched[thing] = more
        if self._process is None:
            self._start()
        else:
            self._say("watch", *thing, *more)

    def _forget(self, thing: tuple[str, int | str]) -> None:
        if self._watched.pop(thing, None) is not None:
            self._say("forget", *thing)

    def _say(self, *message: int | str) -> None:
        if self._process is None or os.getpid() != self._owner:  # in a fork: the reaper belongs to its parent
            return
        try:
            _write(self._process, message)
        except OSError as error:
            self._tell(f"the process that cleans up after a crash was gone ({error})")
            self._let_go()
            if self._watched:
                self._start()

    def _start(self) -> None:
        if not self._starts_left:
            return
        self._starts_left -= 1
        try:
            self._process, self._owner = _start_process(), os.getpid()
            for thing, more in self._watched.items():
                _write(self._process, ("watch", *thing, *more))
        except OSError as error:
            self._tell(f"nothing cleans up after a crash: no process could be started for it ({error})")
            self._let_go()

    def _let_go(self, *, patience: float = 0.0) -> None:
        process, self._process = self._process, None
        if process is None or os.getpid() != self._owner:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        process.kill()  # before its pipe closes: the end of it means that the parent is gone
        process.communicate()


def keep_watch(lines: Iterable[bytes], *, kill: Callable[[int], None], remove: Callable[[str, str], None]) -> None:
    """What the reaper does: note what to watch until the lines end, then kill first and remove afterwards."""
    processes: dict[int, None] = {}
    folders: dict[str, str] = {}
    for line in lines:
        match _parsed(line):
            case ["watch", "process", int(pid)]:
                processes[pid] = None
            case ["forget", "process", int(pid)]:
                processes.pop(pid, None)
            case ["watch", "folder", str(folder), str(toplevel)]:
                folders[folder] = toplevel
            case ["forget", "folder", str(folder)]:
                folders.pop(folder, None)
            case ["leave"]:
                return
    for pid in processes:
        kill(pid)
    for folder, toplevel in folders.items():
        remove(folder, toplevel)


def kill_group(pid: int) -> None:
    """SIGKILL for a whole process group; it reaches stopped processes too."""
    if pid <= 1:  # killpg(1) is kill(-1): every process of the user
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def is_ours(folder: Path, temporary: Path) -> bool:
    """Whether this is a real folder directly below `temporary` or `ON_DISK`, named as only ours are."""
    named = folder.name.startswith(PREFIX) and not folder.is_symlink() and folder.is_dir()
    return named and folder.parent.resolve() in (temporary.resolve(), ON_DISK.resolve())


def remove_folder(folder: Path, toplevel: Path | None) -> None:
    """Remove a temporary folder, and the worktree in it from its repository; links are unlinked, never followed."""
    if toplevel is None:
        _delete(folder)
        return
    trees = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()] if folder.is_dir() else []
    # forced twice, because git locks a worktree until its check-out has ended, and that may have been interrupted
    unlisted = [_succeeds(toplevel, "worktree", "remove", "--force", "--force", str(tree)) for tree in trees]
    _delete(folder)
    if not unlisted or not all(unlisted):
        _succeeds(toplevel, "worktree", "prune")


def git(folder: Path, *arguments: str, timeout: float = GIT_SECONDS) -> subprocess.CompletedProcess[bytes]:
    """Git at a folder, as if no hook had started us, and starting none itself. Raises OSError, TimeoutExpired."""
    no_hooks = ("-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false")
    return subprocess.run(
        ["git", "-C", str(folder), "--literal-pathspecs", *no_hooks, *arguments],  # noqa: S607 - the user's own git
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={name: value for name, value in os.environ.items() if name not in REDIRECTIONS}
        | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
        timeout=timeout,
        check=False,
    )


def main(parent: int, temporary: Path) -> None:
    """The reaper process: watch until the pipe on standard input ends or the parent is gone."""

    def remove(folder: str, toplevel: str) -> None:
        if is_ours(Path(folder), temporary):
            remove_folder(Path(folder), Path(toplevel) if toplevel else None)

    keep_watch(_lines(sys.stdin.fileno(), lambda: os.getppid() == parent), kill=kill_group, remove=remove)


def _start_process() -> subprocess.Popen[bytes]:
    import tempfile

    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(os.getpid()), tempfile.gettempdir()],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # neither Ctrl-C nor the end of the parent's process group reaches it
    )
    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)  # a reaper that hangs must not hang its parent
    return process


def _write(process: subprocess.Popen[bytes], message: Iterable[int | str]) -> None:
    """One line in one system call: atomic up to the size of a pipe's buffer."""
    if process.stdin is not None:
        os.write(process.stdin.fileno(), json.dumps([*message]).encode() + b"\n")


def _lines(pipe: int, parent_lives: Callable[[], bool]) -> Iterator[bytes]:
    """Whole lines until the pipe ends, or the parent does: forks of it may hold the pipe open."""
    rest = b""
    while True:
        readable, _, _ = select.select([pipe], [], [], ORPHAN_CHECK_SECONDS)
        if readable:
            chunk = os.read(pipe, 1 << 16)
            if not chunk:
                return
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        elif not parent_lives():
            return


def _parsed(line: bytes) -> object:
    """The message of a line; None where it is broken: what is watched already must not be left behind for it."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def _succeeds(toplevel: Path, *arguments: str) -> bool:
    try:
        return git(toplevel, *arguments).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _delete(folder: Path) -> None:
    import shutil

    for attempt in range(DELETE_ATTEMPTS):
        shutil.rmtree(folder, ignore_errors=True)
        if folder.is_symlink() or not folder.exists():
            return
        _make_writable(folder)
        if attempt:  # a process that was killed a moment ago may still be writing
            time.sleep(PAUSE_SECONDS)


def _make_writable(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.chmod(0o700)
        for path, names, _ in os.walk(folder):
            for name in names:
                inner = Path(path, name)
                if not inner.is_symlink():
                    inner.chmod(0o700)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))

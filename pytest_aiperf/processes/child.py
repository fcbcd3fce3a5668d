"""One pytest child and the line to it: start, say, hear, stop, wake, end; and one that runs a single test."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from pytest_aiperf.processes.reaper import GRACE_SECONDS, Reaper
from pytest_aiperf.vocabulary import messages
from pytest_aiperf.vocabulary.channel import WORKER_VARIABLE
from pytest_aiperf.vocabulary.errors import ChildGoneError
from pytest_aiperf.vocabulary.messages import Answer, Doing, Failed, FilesRead, Finished, Measured, Orders, Request
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.records import Measurement
from pytest_aiperf.vocabulary.terms import Cache

POLL_SECONDS = 0.2
QUIET_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a pytest child is started: the parent's own arguments, directory and environment, or those of old code."""

    arguments: Sequence[str]
    directory: Path
    timeout: float
    quiet_malloc: bool
    compile_caches: Sequence[str] = ()
    """Environment variables that name folders: of a cold start empty ones."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    reaper: Reaper = field(default_factory=lambda: Reaper(starts=0))
    """By default one that never starts: a child that is never stopped sees by itself that its parent has gone."""
    clock: Callable[[], float] = time.monotonic


class Child:
    """A context manager: whatever happens inside, the child's whole process group is gone afterwards."""

    def __init__(
        self, launch: Launch, *, timing: bool, cold: bool = False, extra: Mapping[str, str] | None = None
    ) -> None:
        self.launch = launch
        self.environment = {**launch.environ, **(extra or {})}
        if timing and launch.quiet_malloc:
            self.environment |= QUIET_MALLOC
        self.cold = cold
        self.phase = "start"
        self.finished = False
        self.last_memory = 0
        self._buffer = b""
        self._stopped = False

    def __enter__(self) -> Child:  # noqa: PYI034 - `Self` is newer than Python 3.10
        with contextlib.ExitStack() as stack:
            scratch = self.scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="aiperf-"))
            self.launch.reaper.watch_folder(Path(scratch))
            stack.callback(self.launch.reaper.forget_folder, Path(scratch))
            self._output = Path(scratch) / "output.txt"
            self._line, theirs = socket.socketpair()
            stack.enter_context(self._line)
            with theirs, self._output.open("wb") as stream:
                self._process = self._start(theirs.fileno(), stream, scratch)
            stack.callback(self._end)
            self.launch.reaper.watch_process(self._process.pid)
            self._stack = stack.pop_all()
        self.allow_more_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def say(self, request: Request) -> None:
        """One message. A child that is already dead is noticed by the next `hear`."""
        with contextlib.suppress(OSError):
            self._line.sendall(messages.encode(request))

    def allow_more_time(self) -> None:
        """The time-out counts from now."""
        self._deadline = self.launch.clock() + self.launch.timeout

    def hear(self) -> Answer:
        """The next message. Raises ChildGoneError where none comes any more, or not before the time-out."""
        while b"\n" not in self._buffer:
            if self.launch.clock() > self._deadline:
                raise ChildGoneError(f"hung: no end after {self.launch.timeout:g} s, in phase {self.phase}")
            readable, _, _ = select.select([self._line], [], [], POLL_SECONDS)
            if not readable:
                self._note_memory()
                continue
            chunk = b""
            with contextlib.suppress(ConnectionResetError):
                chunk = self._line.recv(1 << 16)
            if not chunk:
                raise ChildGoneError(self._death())
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        match answer := messages.decode_answer(line):
            case Doing(phase=phase):
                self.phase = phase
            case Finished():
                self.finished = True
        return answer

    def stop(self) -> None:
        """Stop the child and its own children: threads that wait may spin."""
        self._signal(signal.SIGSTOP)
        self._stopped = True

    def wake(self) -> None:
        """Let a stopped child go on."""
        if self._stopped:
            self._signal(signal.SIGCONT)
            self._stopped = False

    def _start(self, channel: int, stream: Any, scratch: str) -> subprocess.Popen[bytes]:
        environment = {**self.environment, WORKER_VARIABLE: str(channel)}
        if self.cold:
            environment |= {name: os.path.join(scratch, name.lower()) for name in self.launch.compile_caches}  # noqa: PTH118
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *self.launch.arguments],
            cwd=self.launch.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            pass_fds=(channel,),
            start_new_session=True,  # so that Ctrl-C reaches the parent alone, which then ends the whole group
        )

    def _note_memory(self) -> None:
        import psutil

        with contextlib.suppress(psutil.Error):
            self.last_memory = psutil.Process(self._process.pid).memory_info().rss

    def _death(self) -> str:
        try:
            code = self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return f"closed its channel in phase {self.phase} and went on running"
        memory = f", last seen with {self.last_memory / 1024**2:.0f} MiB" if self.last_memory else ""
        if code < 0:
            name = signal.Signals(-code).name if -code in signal.Signals.__members__.values() else str(-code)
            guess = " (out of memory?)" if name == "SIGKILL" else ""
            return f"killed by {name}{guess} in phase {self.phase}{memory}"
        return f"ended with exit code {code} in phase {self.phase}{memory}: {self.last_words()}"

    def last_words(self) -> str:
        """The last error that it printed, or the last line."""
        lines = self._output.read_text(errors="replace").strip().splitlines()
        telling = [line for line in lines if line.startswith(("E  ", "ERROR", "INTERNALERROR"))] or lines
        return (telling[-1] if telling else "it printed nothing")[:200]

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _end(self) -> None:
        """Let a child that has finished go by itself for a while; then end its whole process group, and reap it."""
        self.wake()
        try:
            self._process.wait(GRACE_SECONDS if self.finished else 0)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self.launch.reaper.forget_process(self._process.pid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a fresh process saw; `failure` says why it saw nothing, or not all."""

    measurements: tuple[Measurement, ...] = ()
    failure: str | None = None
    files: tuple[str, ...] = ()
    """Files below the watched folders that it read."""


def run_test(launch: Launch, order: Order, *, watched: Sequence[str] = ()) -> Report:
    """One child from start to end. Anything that goes wrong in it is a reason in the report, never an exception."""
    if os.name != "posix":
        return Report(failure="fresh processes need a POSIX system for now")
    measurements: tuple[Measurement, ...] = ()
    failure: str | None = None
    files: tuple[str, ...] = ()
    with Child(launch, timing=order.role.times, cold=order.load is Cache.COLD) as child:
        child.say(Orders(orders=(order,), watched=tuple(watched), scratch=child.scratch))
        try:
            while not child.finished:
                match child.hear():
                    case Measured(measurements=measurements):
                        pass
                    case Failed(reason=reason):
                        failure = failure or reason
                    case FilesRead(files=files):
                        pass
        except ChildGoneError as gone:
            failure = str(gone)
        if failure is None and not measurements:
            failure = f"ended without having run the test: {child.last_words()}"
    return Report(measurements=measurements, failure=failure, files=files)

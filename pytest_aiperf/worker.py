"""A fresh process: a pytest child that runs one test, measures what it is ordered to, and reports over a socket."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_aiperf import codec
from pytest_aiperf.settings import WORKER_VARIABLE
from pytest_aiperf.trial import Order
from pytest_aiperf.vocabulary import Measurement

POLL_SECONDS = 0.2
GRACE_SECONDS = 5.0
"""How long a child may take to go after its last message."""
QUIET_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
COMPILE_CACHES = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH", "JAX_COMPILATION_CACHE_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a fresh process saw; `failure` says why it saw nothing, or not all."""

    measurements: tuple[Measurement, ...] = ()
    failure: str | None = None


class FreshProcesses:
    """Starts children with the parent's own arguments, directory and environment; never leaves one behind."""

    def __init__(
        self,
        *,
        arguments: Sequence[str],
        directory: Path,
        timeout: float,
        quiet_malloc: bool,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.arguments = tuple(arguments)
        self.directory = directory
        self.timeout = timeout
        self.quiet_malloc = quiet_malloc
        self.environ = environ
        self.clock = clock

    def run(self, order: Order) -> Report:
        """One child from start to end. Anything that goes wrong in it is a reason in the report, never an exception."""
        if os.name != "posix":
            return Report(failure="fresh processes need a POSIX system for now")
        ours, theirs = socket.socketpair()
        with ours, tempfile.TemporaryDirectory(prefix="aiperf-") as scratch:
            output = Path(scratch) / "output.txt"
            with theirs, output.open("wb") as stream:
                child = self._start(order, theirs.fileno(), stream, scratch)
            conversation = _Conversation(ours, child, output, self.clock, self.timeout)
            try:
                return conversation.hold(order)
            finally:
                _end(child, GRACE_SECONDS if conversation.finished else 0)

    def _start(self, order: Order, channel: int, stream: Any, scratch: str) -> subprocess.Popen[bytes]:
        environment = {**self.environ, WORKER_VARIABLE: str(channel)}
        if order.timing and self.quiet_malloc:
            environment |= QUIET_MALLOC
        if order.load == "cold":
            environment |= {name: os.path.join(scratch, name.lower()) for name in COMPILE_CACHES}  # noqa: PTH118
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *self.arguments],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            pass_fds=(channel,),
            start_new_session=True,  # so that Ctrl-C reaches the parent alone, which then ends the whole group
        )


class _Conversation:
    """Listens to one child until it has finished, died or run out of time."""

    def __init__(
        self,
        channel: socket.socket,
        child: subprocess.Popen[bytes],
        output: Path,
        clock: Callable[[], float],
        timeout: float,
    ) -> None:
        self.channel = channel
        self.child = child
        self.output = output
        self.clock = clock
        self.timeout = timeout
        self.phase = "start"
        self.last_memory = 0
        self.measurements: tuple[Measurement, ...] = ()
        self.failure: str | None = None
        self.finished = False

    def hold(self, order: Order) -> Report:
        with contextlib.suppress(OSError):  # a child that is already dead is reported below
            self.channel.sendall(codec.encode(order) + b"\n")
        deadline = self.clock() + self.timeout
        buffer = b""
        while not self.finished:
            if self.clock() > deadline:
                return self._report(f"hung: no end after {self.timeout:g} s, in phase {self.phase}")
            readable, _, _ = select.select([self.channel], [], [], POLL_SECONDS)
            if not readable:
                self._note_memory()
                continue
            chunk = self._receive()
            if not chunk:
                return self._report(self._death())
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                self._hear(line)
        return self._report(self.failure)

    def _receive(self) -> bytes:
        try:
            return self.channel.recv(1 << 16)
        except ConnectionResetError:
            return b""

    def _hear(self, line: bytes) -> None:
        message = json.loads(line)
        match message:
            case {"phase": phase}:
                self.phase = phase
            case {"measurements": encoded}:
                self.measurements = codec.decode(encoded.encode(), tuple[Measurement, ...])
            case {"failure": failure}:
                self.failure = failure
            case {"finished": True}:
                self.finished = True

    def _note_memory(self) -> None:
        import psutil

        with contextlib.suppress(psutil.Error):
            self.last_memory = psutil.Process(self.child.pid).memory_info().rss

    def _death(self) -> str:
        try:
            code = self.child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return f"closed its channel in phase {self.phase} and went on running"
        memory = f", last seen with {self.last_memory / 1024**2:.0f} MiB" if self.last_memory else ""
        if code < 0:
            name = signal.Signals(-code).name if -code in signal.Signals.__members__.values() else str(-code)
            guess = " (out of memory?)" if name == "SIGKILL" else ""
            return f"killed by {name}{guess} in phase {self.phase}{memory}"
        return f"ended with exit code {code} in phase {self.phase}{memory}: {self._last_words()}"

    def _last_words(self) -> str:
        lines = self.output.read_text(errors="replace").strip().splitlines()
        telling = [line for line in lines if line.startswith(("E  ", "ERROR", "INTERNALERROR"))] or lines
        return (telling[-1] if telling else "it printed nothing")[:200]

    def _report(self, failure: str | None) -> Report:
        return Report(measurements=self.measurements, failure=failure)


def _end(child: subprocess.Popen[bytes], grace: float) -> None:
    """Let the child go by itself for `grace` seconds, then end its whole process group, and reap it."""
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()

"""The machine-wide lock: while one process times something, no other process of pytest-aiperf runs a test."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_aiperf.machine.atomic_files import lock_folder

if TYPE_CHECKING:
    from filelock import ReadWriteLock

NESTED_VARIABLE = "PYTEST_AIPERF_LOCKED_BY"
"""Set while this process runs tests: a pytest that one of them starts must not wait for its own ancestor."""
PATIENCE_SECONDS = 2.0


@dataclass(kw_only=True)
class MachineLock:
    """A read-write lock: ordinary tests share it (under xdist), timed sections hold it alone."""

    shared_by_tests: bool
    tell: Callable[[str], None]
    environ: MutableMapping[str, str] = field(default_factory=lambda: os.environ)
    nested: bool = field(init=False)
    timing: bool = field(init=False, default=False)
    """Whether a timed section of this process is open: another one, of a thread or a coroutine too, goes on at once."""
    sharing: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.nested = NESTED_VARIABLE in self.environ

    @contextmanager
    def test(self) -> Iterator[None]:
        """Around every test: shares the lock where several processes run tests side by side."""
        self.environ[NESTED_VARIABLE] = str(os.getpid())
        if self.nested or not self.shared_by_tests:
            yield
            return
        self._share()
        try:
            yield
        finally:
            self._unshare()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Around waiting for something else: tests that time something need not wait for this one meanwhile."""
        was_sharing = self.sharing
        self._unshare()
        try:
            yield
        finally:
            if was_sharing:
                self._share()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Around a timed section: waits at this point until every other test has ended, and holds back new ones."""
        if self.nested or self.timing:
            yield
            return
        with self.aside(), self._alone():
            self.timing = True
            try:
                yield
            finally:
                self.timing = False

    def _alone(self) -> Any:
        from filelock import Timeout

        try:
            return self._lock.acquire_write(timeout=PATIENCE_SECONDS)
        except Timeout:
            self.tell("waiting for other tests to end")
            return self._lock.acquire_write()

    def _share(self) -> None:
        self._lock.acquire_read()
        self.sharing = True

    def _unshare(self) -> None:
        if self.sharing:
            self._lock.release()
            self.sharing = False

    @functools.cached_property
    def _lock(self) -> ReadWriteLock:
        from filelock import ReadWriteLock

        return ReadWriteLock(lock_folder() / "timing.lock")  # one file per user and machine

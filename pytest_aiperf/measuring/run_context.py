"""What a run lends to its trials: tools, runtimes, the machine for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pytest_aiperf.machine.reference_workload import ReferenceWorkload
from pytest_aiperf.machine.timing_lock import MachineLock
from pytest_aiperf.vocabulary.contracts import Framework, Tools, TurnLine
from pytest_aiperf.vocabulary.terms import Metric


@dataclass(slots=True, kw_only=True)
class RunContext:
    """Of the process that runs the tests."""

    tools: Tools
    frameworks: Sequence[Framework]
    metrics: Mapping[str, Metric]
    lock: MachineLock
    show: Callable[[str], None]
    """What is being measured, for a person who waits."""
    clear: Callable[[], None]
    reference_workload: ReferenceWorkload
    memory_always: bool = False
    base: int = 0
    imports: Mapping[str, float] = field(default_factory=dict)
    turn_line: None = None

    @contextmanager
    def exclusive(self, what: str) -> Iterator[None]:
        """Hold the machine for a timed section; `what` is shown as progress."""
        self.show(what)
        try:
            with self.lock.exclusive():
                yield
        finally:
            self.clear()

    def reference(self) -> float | None:
        """The covariate: mean log seconds of the reference workload, a few seconds old at most."""
        return self.reference_workload.log_seconds()

    def doubt_reference(self) -> None:
        """A timed section was disturbed: the next one has a covariate of its own."""
        self.reference_workload.doubt()


@dataclass(slots=True, kw_only=True)
class ChildContext:
    """Of a fresh process: its parent holds the machine for it, and keeps the covariate."""

    tools: Tools
    frameworks: Sequence[Framework]
    metrics: Mapping[str, Metric]
    imports: Mapping[str, float]
    turn_line: TurnLine
    memory_always: bool = False
    base: int = 0

    @contextmanager
    def exclusive(self, what: str) -> Iterator[None]:  # noqa: ARG002 - same signature as the parent's
        """Nothing to do."""
        yield

    def reference(self) -> None:
        """Not measured here."""

    def doubt_reference(self) -> None:
        """Nothing to do."""

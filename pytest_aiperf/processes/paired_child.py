"""One side of a block: a child that stands, stopped, where its next measurement begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TypeVar

from pytest_aiperf.processes.child import Child
from pytest_aiperf.vocabulary.errors import ChildGoneError
from pytest_aiperf.vocabulary.messages import (
    Answer,
    At,
    Doing,
    Failed,
    FilesRead,
    GoOn,
    Request,
    TakeTurn,
    TimedTurn,
    Warm,
    WarmUp,
)
from pytest_aiperf.vocabulary.pairing import Arm

_Kind = TypeVar("_Kind", At, Warm, TimedTurn)
Place = tuple[str, str]
"""Node id and label of a measurement."""


@dataclass(slots=True)
class PairedChild:
    """Every method lets the child run, and stops it before it returns."""

    arm: Arm
    child: Child
    _: KW_ONLY
    tests: Sequence[str]
    at: Place | None = None
    failures: dict[str, str] = field(default_factory=dict)
    """Test -> why it failed on this side."""
    files: tuple[str, ...] = ()
    current: str | None = None
    reached: set[str] = field(default_factory=set)
    died: bool = False
    """Whether a test took the process with it: those behind it have not had their turn."""

    @property
    def turn_in_order(self) -> int:
        """How far it has come in the list of tests; behind all of them when it has finished."""
        return len(self.tests) if self.at is None else self.tests.index(self.at[0])

    def start(self) -> None:
        """Wait for the first measurement."""
        self._hear(At)

    def advance(self) -> None:
        """Go on to the next measurement, or to the end."""
        self._ask(At, GoOn())

    def warm_up(self) -> Warm | None:
        """Make the first calls; None where one fails."""
        return self._ask(Warm, WarmUp())

    def turn(self, asked: TakeTurn) -> TimedTurn | None:
        """One turn; None where it fails."""
        return self._ask(TimedTurn, asked)

    def _ask(self, kind: type[_Kind], request: Request) -> _Kind | None:
        self.child.wake()
        self.child.say(request)
        return self._hear(kind)

    def _hear(self, kind: type[_Kind]) -> _Kind | None:
        """Listen until the answer, the next measurement or the end; only the answer is returned."""
        self.child.allow_more_time()
        try:
            while not self.child.finished:
                answer = self.child.hear()
                self._note(answer)
                if isinstance(answer, (kind, At)):
                    self.child.stop()
                    return answer if isinstance(answer, kind) else None
        except ChildGoneError as gone:
            self.at, self.died = None, self.current is not None
            for test in (self.current,) if self.current else self.tests:
                self.failures.setdefault(test, str(gone))
            return None
        self.at = None
        for test in self.tests:
            if test not in self.reached:
                self.failures.setdefault(test, f"it was not run: {self.child.last_words()}")
        return None

    def _note(self, answer: Answer) -> None:
        match answer:
            case Doing(test=str(test)):
                self.current = test
            case At(test=test, label=label):
                self.at = (test, label)
                self.reached.add(test)
            case Failed(test=test, reason=reason):
                self.current = test
                self.failures.setdefault(test, reason)
            case FilesRead(files=files):
                self.files = files

"""One side of a block: a child that stands, stopped, where its next measurement begins."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pytest_aiperf.measuring.interleaving import Warm
from pytest_aiperf.processes.child import Child
from pytest_aiperf.vocabulary.errors import ChildGoneError
from pytest_aiperf.vocabulary.pairing import Arm

Place = tuple[str, str]
"""Node id and label of a measurement."""


class PairedChild:
    """Every method but the constructor lets the child run, and stops it before it returns."""

    def __init__(self, arm: Arm, child: Child, *, tests: Sequence[str]) -> None:
        self.arm = arm
        self.child = child
        self.tests = tests
        self.at: Place | None = None
        self.warmed = False
        self.failures: dict[str, str] = {}
        """Test -> why it failed on this side."""
        self.files: list[str] = []
        self.current: str | None = None
        self.reached: set[str] = set()
        self.died = False
        """Whether a test took the process with it: those behind it have not had their turn."""

    @property
    def turn_in_order(self) -> int:
        """How far it has come in the list of tests; behind all of them when it has finished."""
        return len(self.tests) if self.at is None else self.tests.index(self.at[0])

    def start(self) -> None:
        """Wait for the first measurement."""
        self._hear("at")

    def advance(self) -> None:
        """Go on to the next measurement, or to the end."""
        self._ask("at", {"go": True} if self.warmed else {"skip": True})

    def warm_up(self) -> Warm | None:
        """Make the first calls; None where one fails."""
        said = self._ask("warm", {"warm": True})
        self.warmed = said is not None
        return None if said is None else Warm(**said)

    def turn(self, *, calls: int, batch: int, queued: bool) -> dict[str, Any] | None:
        """One turn: `values`, `elapsed`, `foreign`; None where it fails."""
        turn: dict[str, Any] | None = self._ask("turn", {"turn": {"calls": calls, "batch": batch, "queued": queued}})
        return turn

    def _ask(self, answer: str, request: dict[str, Any]) -> Any:
        self.child.wake()
        self.child.say(json.dumps(request).encode())
        return self._hear(answer)

    def _hear(self, answer: str) -> Any:
        """Listen until the answer, the next measurement or the end; only the answer is returned."""
        self.child.allow_more_time()
        try:
            while not self.child.finished:
                message = self.child.hear()
                self._note(message)
                if answer in message or "at" in message:
                    self.child.stop()
                    return message.get(answer)
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

    def _note(self, message: dict[str, Any]) -> None:
        if "test" in message:
            self.current = message["test"]
        match message:
            case {"at": [test, label]}:
                self.at, self.warmed = (test, label), False
                self.reached.add(test)
            case {"failure": reason, "test": test}:
                self.failures.setdefault(test, reason)
            case {"provenance": files}:
                self.files = files

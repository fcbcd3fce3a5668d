"""One label's turns: A B B A, each disturbed couple repeated."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.machine.load import TICK
from pytest_aiperf.measuring.metrics.latency import SLOW_SECONDS, batch_of
from pytest_aiperf.vocabulary.messages import TakeTurn, TimedTurn
from pytest_aiperf.vocabulary.pairing import Arm, Turn
from pytest_aiperf.vocabulary.terms import DISTURBED_SHARE, Turns

TURN_SECONDS = 0.05
FEWEST_CALLS = 3
MOST_CALLS = 200
MOST_TAIL_CALLS = 2_000
LONGEST_TAIL_TURN = 5.0
"""Turns do not grow beyond this many seconds for the sake of a percentile: six blocks of them fill the usual budget."""
BURSTS = 5
MOST_ROUNDS = 3
"""Rounds of four turns (A B B A): more where few tests share the start of the processes."""
ATTEMPTS = 3
"""At a couple of turns that others disturbed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPlan:
    """How one label's turns look: the same for both sides."""

    calls: int
    batch: int
    rounds: int


def plan(seconds_per_call: float, *, tail_calls: int, start_seconds: float, tests: int) -> TurnPlan:
    """Turns of max(3 calls, 50 ms); the fewer tests share the start of the processes, the more rounds of turns.

    `tail_calls`: how many calls of a side a percentile above the median needs, each timed by itself; 0 without one.
    """
    seconds = max(seconds_per_call, 1e-9)
    if seconds > SLOW_SECONDS:
        return TurnPlan(calls=1, batch=1, rounds=1)
    batch = batch_of(seconds)
    if not tail_calls:
        batch = max(batch, math.ceil(TURN_SECONDS / (seconds * MOST_CALLS)))
    most = MOST_TAIL_CALLS if tail_calls else MOST_CALLS
    calls = min(most, max(FEWEST_CALLS, math.ceil(TURN_SECONDS / (seconds * batch))))
    if seconds * (for_tails := math.ceil(tail_calls / 2)) <= LONGEST_TAIL_TURN:  # each side has two turns or more
        calls = max(calls, for_tails)
    round_seconds = 4 * seconds * (calls * batch + 1)
    rounds = min(MOST_ROUNDS, max(1, round(start_seconds / tests / round_seconds)))
    return TurnPlan(calls=calls, batch=batch, rounds=rounds)


class TakesTurns(Protocol):
    """One arm of an interleaving."""

    arm: Arm

    def turn(self, asked: TakeTurn) -> TimedTurn | None:
        """One turn; None where it fails."""


class Interleaving:
    """Two warmed-up arms at the same place (or one alone); `turns` are what they did, in order."""

    def __init__(self, children: Sequence[TakesTurns], machine: MachineWatch) -> None:
        self.couples = (tuple(children), tuple(reversed(children)))
        self.machine = machine
        self.turns: list[Turn] = []
        self.thrown_away = 0
        self.complete = True
        self._busy_to_the_end = False

    def take_turns(self, planned: TurnPlan, *, kinds: Collection[Turns], queues: bool) -> None:
        """All turns of the wanted kinds. Where nothing `queues` calls, bursts are made of the calls."""
        asked = {Turns.CALLS if kind is Turns.BURSTS and not queues else kind for kind in kinds}
        for kind in Turns:
            if kind in asked:
                calls, batch = _bursts(planned) if kind is Turns.BURSTS else (planned.calls, planned.batch)
                turn = TakeTurn(calls=calls, batch=batch, kind=kind)
                for couple in self.couples * planned.rounds:
                    if self.complete:
                        self._couple(couple, turn)

    def disturbances(self) -> tuple[str, ...]:
        """Whether others used the processor during turns that were kept."""
        known = [turn for turn in self.turns if turn.foreign is not None]
        elapsed = sum(turn.elapsed for turn in known)
        foreign = sum(turn.foreign or 0.0 for turn in known) - 2 * TICK
        share = max(0.0, foreign) / elapsed / self.machine.processors if elapsed else 0.0
        if self._busy_to_the_end or share > DISTURBED_SHARE:
            return (f"other processes used {share:.0%} of the processors during its turns",)
        return ()

    def _couple(self, couple: Sequence[TakesTurns], asked: TakeTurn) -> None:
        for attempt in range(ATTEMPTS):
            turns = [
                Turn(arm=child.arm, values=seen.values, elapsed=seen.elapsed, foreign=seen.foreign)
                for child in couple
                if (seen := child.turn(asked)) is not None
            ]
            if len(turns) < len(couple):
                self.complete = False
                return
            if not any(self._is_busy(turn) for turn in turns):
                break
            if attempt == ATTEMPTS - 1 or not self.machine.wait_for_quiet():
                self._busy_to_the_end = True
                break
            self.thrown_away += len(turns)
        self.turns += turns

    def _is_busy(self, turn: Turn) -> bool:
        available = turn.elapsed * self.machine.processors
        return turn.foreign is not None and available > 0 and (turn.foreign - TICK) / available > DISTURBED_SHARE


def _bursts(planned: TurnPlan) -> tuple[int, int]:
    """How many, and of how many calls each: as much work as in the calls."""
    return BURSTS, max(1, math.ceil(planned.calls * planned.batch / BURSTS))

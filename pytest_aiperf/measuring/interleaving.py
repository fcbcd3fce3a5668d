"""One label's turns: A B B A, each disturbed couple repeated."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.machine.load import TICK
from pytest_aiperf.measuring.metrics import throughput
from pytest_aiperf.vocabulary.pairing import Leg, Side

TURN_SECONDS = 0.05
FEWEST_CALLS = 3
MOST_CALLS = 200
MOST_TAIL_CALLS = 2_000
LONGEST_TAIL_TURN = 5.0
"""Turns do not grow beyond this many seconds for the sake of a percentile: six blocks of them fill the usual budget."""
SHORTEST_CALL = 10e-6
"""Calls shorter than this are timed in batches: a pair of clock readings costs about a hundredth of it."""
BATCH_SECONDS = 100e-6
SLOW_SECONDS = 1.0
"""A call that takes longer makes a turn alone."""
BURSTS = 5
MOST_ROUNDS = 3
"""Rounds of four turns (A B B A): more where few tests share the start of the processes."""
BUSY_SHARE = 0.025
"""More of the processors than this in foreign hands (5 % of one core of two), and a couple of turns is repeated."""
ATTEMPTS = 3
LATENCY, THROUGHPUT = "latency", "throughput"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one label's turns look: the same for both sides."""

    calls: int
    batch: int
    rounds: int


def plan(seconds_per_call: float, *, tail_calls: int, start_seconds: float, tests: int) -> Plan:
    """Turns of max(3 calls, 50 ms); the fewer tests share the start of the processes, the more rounds of turns.

    `tail_calls`: how many calls of a side a percentile above the median needs, each timed by itself; 0 without one.
    """
    seconds = max(seconds_per_call, 1e-9)
    if seconds > SLOW_SECONDS:
        return Plan(calls=1, batch=1, rounds=1)
    batch = max(1, round(BATCH_SECONDS / seconds)) if seconds < SHORTEST_CALL else 1
    if not tail_calls:
        batch = max(batch, math.ceil(TURN_SECONDS / (seconds * MOST_CALLS)))
    most = MOST_TAIL_CALLS if tail_calls else MOST_CALLS
    calls = min(most, max(FEWEST_CALLS, math.ceil(TURN_SECONDS / (seconds * batch))))
    if seconds * (for_tails := math.ceil(tail_calls / 2)) <= LONGEST_TAIL_TURN:  # each side has two turns or more
        calls = max(calls, for_tails)
    round_seconds = 4 * seconds * (calls * batch + 1)
    rounds = min(MOST_ROUNDS, max(1, round(start_seconds / tests / round_seconds)))
    return Plan(calls=calls, batch=batch, rounds=rounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """What a warmed-up side says of itself."""

    seconds: float
    """Of one call."""
    queues: bool
    """Whether a device runs calls behind the processor's back."""
    items: int
    """Per call."""


class Plays(Protocol):
    """One side of a duel."""

    side: Side

    def turn(self, *, calls: int, batch: int, queued: bool) -> dict[str, Any] | None:
        """One turn: `values`, `elapsed`, `foreign`; None where it fails."""


class Duel:
    """Two warmed-up players at the same place (or one alone); `legs` are what they did, in order."""

    def __init__(self, players: Sequence[Plays], machine: MachineWatch) -> None:
        self.couples = (tuple(players), tuple(reversed(players)))
        self.machine = machine
        self.legs: list[Leg] = []
        self.thrown_away = 0
        self.complete = True
        self._busy_to_the_end = False

    def fight(self, planned: Plan, *, metrics: Collection[str], warm: Sequence[Warm]) -> None:
        """All turns for the wanted metrics. Where nothing queues calls, throughput follows from the same turns.

        `warm` is what each player said of itself, in the players' order.
        """
        queues = any(one.queues for one in warm)
        self._rounds(planned, queued=False)
        if THROUGHPUT in metrics and queues:
            burst = max(1, math.ceil(planned.calls * planned.batch / BURSTS))
            self._rounds(Plan(calls=BURSTS, batch=burst, rounds=planned.rounds), queued=True)
        elif THROUGHPUT in metrics:
            items = {player.side: one.items for player, one in zip(self.couples[0], warm, strict=True)}
            self.legs += [_throughput_of(leg, items[leg.side]) for leg in self.legs]
        if LATENCY not in metrics:
            self.legs = [leg for leg in self.legs if leg.metric == THROUGHPUT]

    def disturbances(self) -> tuple[str, ...]:
        """Whether others used the processor during turns that were kept."""
        known = [leg for leg in self.legs if leg.foreign is not None]
        elapsed = sum(leg.elapsed for leg in known)
        foreign = sum(leg.foreign or 0.0 for leg in known) - 2 * TICK
        share = max(0.0, foreign) / elapsed / self.machine.processors if elapsed else 0.0
        if self._busy_to_the_end or share > BUSY_SHARE:
            return (f"other processes used {share:.0%} of the processors during its turns",)
        return ()

    def _rounds(self, planned: Plan, *, queued: bool) -> None:
        for _ in range(planned.rounds):
            for couple in self.couples:
                if self.complete:
                    self._couple(couple, planned, queued=queued)

    def _couple(self, couple: Sequence[Plays], planned: Plan, *, queued: bool) -> None:
        for attempt in range(ATTEMPTS):
            legs = [leg for player in couple if (leg := _leg(player, planned, queued=queued)) is not None]
            if len(legs) < len(couple):
                self.complete = False
                return
            if not any(self._is_busy(leg) for leg in legs):
                break
            if attempt == ATTEMPTS - 1 or not self.machine.wait_for_quiet():
                self._busy_to_the_end = True
                break
            self.thrown_away += len(legs)
        self.legs += legs

    def _is_busy(self, leg: Leg) -> bool:
        available = leg.elapsed * self.machine.processors
        return leg.foreign is not None and available > 0 and (leg.foreign - TICK) / available > BUSY_SHARE


def _throughput_of(leg: Leg, items: int) -> Leg:
    values = throughput.of_calls(leg.values, items=items, bursts=BURSTS)
    return replace(leg, metric=THROUGHPUT, values=values)


def _leg(player: Plays, planned: Plan, *, queued: bool) -> Leg | None:
    said = player.turn(calls=planned.calls, batch=planned.batch, queued=queued)
    if said is None:
        return None
    return Leg(
        side=player.side,
        metric=THROUGHPUT if queued else LATENCY,
        values=tuple(said["values"]),
        elapsed=said["elapsed"],
        foreign=said["foreign"],
    )

"""Old and new code in fresh processes, taking turns: one block of every test that has to be decided."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.measuring.interleaving import LATENCY, Duel, plan
from pytest_aiperf.measuring.trial import Order, Orders
from pytest_aiperf.processes.child import Child, Launch
from pytest_aiperf.processes.paired_child import Place, Player
from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.pairing import Block, Side

_HASH_SEEDS = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOrder:
    """What a block measures of one test."""

    orders: Mapping[Side, Order]
    wanted: Mapping[str, frozenset[str]] | None
    """Label -> metrics: `latency`, `throughput`; None: the latency of every label."""
    tail_calls: int = 0
    """How many calls of a side a percentile above the median needs, each timed by itself; 0 where none counts."""

    @property
    def test(self) -> str:
        """The node id, the same on both sides."""
        return self.orders[Side.NEW].test


@dataclass(slots=True, kw_only=True)
class Round:
    """One block of several tests."""

    blocks: dict[Place, Block] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    """Test -> why it gave nothing on one of the sides."""
    missed: frozenset[str] = frozenset()
    """Tests without a turn: one before them took its process with it. They are no worse for it."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Test -> its share of the block's time."""
    files: dict[Side, list[str]] = field(default_factory=dict)
    """Files of either tree that each side read."""


class PairedProcesses:
    """Runs blocks; no process outlives one."""

    def __init__(
        self,
        *,
        launches: Mapping[Side, Launch],
        watched: Sequence[str],
        machine: MachineWatch,
        clock: Callable[[], float] = time.monotonic,
        open_child: Callable[..., Child] = Child,
    ) -> None:
        self.launches = launches
        self.watched = tuple(watched)
        self.machine = machine
        self.clock = clock
        self.open_child = open_child

    def block(self, seed: int, asked: Sequence[PairOrder], *, together: bool = True) -> Round:
        """One fresh process per side, both through the same tests; one that fails is a reason in the round.

        `seed` draws who starts, who has the first turn of each label, and the hash seed of both processes. Not
        `together`: one side after the other, where both do not fit into the memory.
        """
        draw = random.Random(seed)  # noqa: S311 - an order of turns, not a secret
        hash_seed = str(draw.randrange(_HASH_SEEDS))
        sides = draw.sample(list(Side), 2)
        if together:
            return self._play(sides, seed, asked, draw, hash_seed)
        return joined([self._play([side], seed, asked, draw, hash_seed) for side in sides])

    def _play(
        self, sides: Sequence[Side], seed: int, asked: Sequence[PairOrder], draw: random.Random, hash_seed: str
    ) -> Round:
        began, extra = self.clock(), {"PYTHONHASHSEED": hash_seed}
        with ExitStack() as stack:
            players = []
            for side in sides:  # they start side by side: importing a framework takes seconds
                child = stack.enter_context(self.open_child(self.launches[side], timing=True, extra=extra))
                orders = tuple(one.orders[side] for one in asked)
                child.say(codec.encode(Orders(orders=orders, watched=self.watched, scratch=child.scratch)))
                players.append(Player(side, child, tests=[one.test for one in asked]))
            for player in players:
                player.start()
            return _Game(self, players, asked, seed, draw, start_seconds=self.clock() - began).play()


def joined(rounds: Sequence[Round]) -> Round:
    """One round of two that each had one side only."""
    first, second = rounds
    both = first.blocks.keys() & second.blocks.keys()
    missed = first.missed | second.missed
    one_sided = {
        test: "only one side has this measurement"
        for test, _ in first.blocks.keys() ^ second.blocks.keys()
        if test not in missed
    }
    return Round(
        missed=missed,
        blocks={place: _joined_block(first.blocks[place], second.blocks[place]) for place in both},
        failures={**one_sided, **first.failures, **second.failures},
        seconds={test: seconds + second.seconds.get(test, 0.0) for test, seconds in first.seconds.items()},
        files={**first.files, **second.files},
    )


def _joined_block(first: Block, second: Block) -> Block:
    return Block(
        seed=first.seed,
        legs=(*first.legs, *second.legs),
        disturbances=(*first.disturbances, *second.disturbances),
        thrown_away=first.thrown_away + second.thrown_away,
    )


class _Game:
    """Started players, two or one, on their way through the tests."""

    def __init__(
        self,
        processes: PairedProcesses,
        players: Sequence[Player],
        asked: Sequence[PairOrder],
        seed: int,
        draw: random.Random,
        *,
        start_seconds: float,
    ) -> None:
        self.machine = processes.machine
        self.clock = processes.clock
        self.players = players
        self.asked = {one.test: one for one in asked}
        self.seed = seed
        self.draw = draw
        self.start_seconds = start_seconds
        self.round = Round(seconds=dict.fromkeys(self.asked, start_seconds / len(self.asked)))

    def play(self) -> Round:
        one_sided: dict[str, str] = {}
        while any(player.at is not None for player in self.players) and not any(one.died for one in self.players):
            began = self.clock()
            first = min(self.players, key=lambda player: player.turn_in_order)
            place = first.at or ("", "")
            if all(player.at == place for player in self.players):
                self._meet(place)
            else:  # one side has something that the other lacks there: skipped, failed or called otherwise
                one_sided.setdefault(place[0], _only(first, place))
            self.round.seconds[place[0]] += self.clock() - began
            for player in self._shuffled():
                if player.at == place:
                    self._advance(player, place[0])
        failed = {test: f"{one.side.value} code: {why}" for one in self.players for test, why in one.failures.items()}
        self.round.failures = {**one_sided, **failed}
        self.round.missed = frozenset(
            test for one in self.players if one.died for test in self.asked if test not in one.reached | failed.keys()
        )
        self.round.files = {player.side: player.files for player in self.players}
        return self.round

    def _shuffled(self) -> list[Player]:
        return self.draw.sample(list(self.players), len(self.players))

    def _advance(self, player: Player, test: str) -> None:
        """Let one side go on; what it prepares on its way is the next test's time."""
        began = self.clock()
        player.advance()
        self.round.seconds[player.at[0] if player.at else test] += self.clock() - began

    def _meet(self, place: Place) -> None:
        """Time one label on both sides, if it is wanted."""
        asked = self.asked[place[0]]
        metrics = frozenset({LATENCY}) if asked.wanted is None else asked.wanted.get(place[1])
        if not metrics:
            return
        self.machine.start()
        players = self._shuffled()
        warm = [said for player in players if (said := player.warm_up()) is not None]
        if len(warm) < len(self.players):
            return
        planned = plan(
            median([one.seconds for one in warm]),
            tail_calls=asked.tail_calls,
            start_seconds=self.start_seconds,
            tests=len(self.asked),
        )
        duel = Duel(players, self.machine)
        duel.fight(planned, metrics=metrics, warm=warm)
        if duel.complete:
            self.round.blocks[place] = Block(
                seed=self.seed,
                legs=tuple(duel.legs),
                disturbances=(*duel.disturbances(), *self.machine.seen()),
                thrown_away=duel.thrown_away,
            )


def _only(player: Player, place: Place) -> str:
    what = f"the measurement {place[1]!r}" if place[1] else "this measurement"
    return f"only the {player.side.value} code has {what}"

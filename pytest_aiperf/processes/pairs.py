"""Old and new code in fresh processes, taking turns: one block of every test that has to be decided."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.measuring.interleaving import Interleaving, plan
from pytest_aiperf.processes.child import Child, Launch
from pytest_aiperf.processes.paired_child import PairedChild, Place
from pytest_aiperf.vocabulary.messages import Orders
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.pairing import Arm, Block
from pytest_aiperf.vocabulary.terms import Turns

_HASH_SEEDS = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOrder:
    """What a block measures of one test."""

    orders: Mapping[Arm, Order]
    wanted: Mapping[str, frozenset[Turns]] | None
    """Label -> kinds of turns; None: calls, of every label."""
    tail_calls: int = 0
    """How many calls of a side a percentile above the median needs, each timed by itself; 0 where none counts."""

    @property
    def test(self) -> str:
        """The node id, the same on both sides."""
        return self.orders[Arm.CANDIDATE].test


@dataclass(slots=True, kw_only=True)
class PairBlock:
    """One block of several tests."""

    blocks: dict[Place, Block] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    """Test -> why it gave nothing on one of the sides."""
    missed: frozenset[str] = frozenset()
    """Tests without a turn: one before them took its process with it. They are no worse for it."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Test -> its share of the block's time."""
    files: dict[Arm, Sequence[str]] = field(default_factory=dict)
    """Files of either tree that each side read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedProcesses:
    """Runs blocks; no process outlives one."""

    launches: Mapping[Arm, Launch]
    watched: tuple[str, ...]
    machine: MachineWatch
    clock: Callable[[], float] = time.monotonic
    open_child: Callable[..., Child] = Child

    def block(self, seed: int, asked: Sequence[PairOrder], *, together: bool = True) -> PairBlock:
        """One fresh process per side, both through the same tests; one that fails is a reason in the round.

        `seed` draws who starts, who has the first turn of each label, and the hash seed of both processes. Not
        `together`: one side after the other, where both do not fit into the memory.
        """
        draw = random.Random(seed)  # noqa: S311 - an order of turns, not a secret
        hash_seed = str(draw.randrange(_HASH_SEEDS))
        arms = draw.sample(list(Arm), 2)
        if together:
            return self._play(arms, seed, asked, draw, hash_seed)
        return joined([self._play([arm], seed, asked, draw, hash_seed) for arm in arms])

    def _play(
        self, arms: Sequence[Arm], seed: int, asked: Sequence[PairOrder], draw: random.Random, hash_seed: str
    ) -> PairBlock:
        began, extra = self.clock(), {"PYTHONHASHSEED": hash_seed}
        with ExitStack() as stack:
            children = []
            for arm in arms:  # they start side by side: importing a framework takes seconds
                process = stack.enter_context(self.open_child(self.launches[arm], timing=True, extra=extra))
                orders = tuple(one.orders[arm] for one in asked)
                process.say(Orders(orders=orders, watched=self.watched, scratch=process.scratch))
                children.append(PairedChild(arm, process, tests=[one.test for one in asked]))
            for child in children:
                child.start()
            start_seconds = self.clock() - began
            run = _BlockRun(
                machine=self.machine,
                clock=self.clock,
                children=children,
                asked={one.test: one for one in asked},
                seed=seed,
                draw=draw,
                start_seconds=start_seconds,
                round=PairBlock(seconds={one.test: start_seconds / len(asked) for one in asked}),
            )
            return run.play()


def joined(rounds: Sequence[PairBlock]) -> PairBlock:
    """One round of two that each had one side only."""
    first, second = rounds
    both = first.blocks.keys() & second.blocks.keys()
    missed = first.missed | second.missed
    one_sided = {
        test: "only one side has this measurement"
        for test, _ in first.blocks.keys() ^ second.blocks.keys()
        if test not in missed
    }
    return PairBlock(
        missed=missed,
        blocks={place: _joined_block(first.blocks[place], second.blocks[place]) for place in both},
        failures={**one_sided, **first.failures, **second.failures},
        seconds={test: seconds + second.seconds.get(test, 0.0) for test, seconds in first.seconds.items()},
        files={**first.files, **second.files},
    )


def _joined_block(first: Block, second: Block) -> Block:
    return Block(
        seed=first.seed,
        turns=(*first.turns, *second.turns),
        disturbances=(*first.disturbances, *second.disturbances),
        thrown_away=first.thrown_away + second.thrown_away,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _BlockRun:
    """Started children, two or one, on their way through the tests."""

    machine: MachineWatch
    clock: Callable[[], float]
    children: Sequence[PairedChild]
    asked: Mapping[str, PairOrder]
    seed: int
    draw: random.Random
    start_seconds: float
    round: PairBlock

    def play(self) -> PairBlock:
        one_sided: dict[str, str] = {}
        while any(child.at is not None for child in self.children) and not any(one.died for one in self.children):
            began = self.clock()
            first = min(self.children, key=lambda child: child.turn_in_order)
            place = first.at or ("", "")
            if all(child.at == place for child in self.children):
                self._time(place)
            else:  # one side has something that the other lacks there: skipped, failed or called otherwise
                one_sided.setdefault(place[0], _only(first, place))
            self.round.seconds[place[0]] += self.clock() - began
            for child in self._shuffled():
                if child.at == place:
                    self._advance(child, place[0])
        failed = {test: f"{one.arm.code}: {why}" for one in self.children for test, why in one.failures.items()}
        self.round.failures = {**one_sided, **failed}
        self.round.missed = frozenset(
            test for one in self.children if one.died for test in self.asked if test not in one.reached | failed.keys()
        )
        self.round.files = {child.arm: child.files for child in self.children}
        return self.round

    def _shuffled(self) -> list[PairedChild]:
        return self.draw.sample(list(self.children), len(self.children))

    def _advance(self, child: PairedChild, test: str) -> None:
        """Let one side go on; what it prepares on its way is the next test's time."""
        began = self.clock()
        child.advance()
        self.round.seconds[child.at[0] if child.at else test] += self.clock() - began

    def _time(self, place: Place) -> None:
        """Time one label on both sides, if it is wanted."""
        asked = self.asked[place[0]]
        kinds = frozenset({Turns.CALLS}) if asked.wanted is None else asked.wanted.get(place[1])
        if not kinds:
            return
        self.machine.start()
        children = self._shuffled()
        warm = [said for child in children if (said := child.warm_up()) is not None]
        if len(warm) < len(self.children):
            return
        planned = plan(
            median([one.seconds for one in warm]),
            tail_calls=asked.tail_calls,
            start_seconds=self.start_seconds,
            tests=len(self.asked),
        )
        interleaving = Interleaving(children, self.machine)
        interleaving.take_turns(planned, kinds=kinds, queues=any(one.queues for one in warm))
        if interleaving.complete:
            self.round.blocks[place] = Block(
                seed=self.seed,
                turns=tuple(interleaving.turns),
                disturbances=(*interleaving.disturbances(), *self.machine.seen()),
                thrown_away=interleaving.thrown_away,
            )


def _only(child: PairedChild, place: Place) -> str:
    what = f"the measurement {place[1]!r}" if place[1] else "this measurement"
    return f"only the {child.arm.code} has {what}"

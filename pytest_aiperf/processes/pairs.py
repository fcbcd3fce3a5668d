"""Old and new code in fresh processes, taking turns: one block of every test that has to be decided."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from statistics import median

from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.machine.nvml import Nvml
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


@dataclass(slots=True, kw_only=True)
class PairedProcesses:
    """Runs blocks; no process outlives one."""

    launches: Mapping[Arm, Launch]
    watched: tuple[str, ...] = ()
    """Folders whose files, where a process reads any, are evidence of whose code it ran."""
    machine: MachineWatch = field(default_factory=lambda: MachineWatch(nvml=Nvml()))
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
        seen = PairBlock(seconds={one.test: 0.0 for one in asked})
        run = _BlockRun(processes=self, seed=seed, draw=draw, asked={one.test: one for one in asked}, seen=seen)
        for alive in [arms] if together else [[arm] for arm in arms]:
            run.play(alive, hash_seed)
        for place, block in tuple(seen.blocks.items()):
            if len({turn.arm for turn in block.turns}) < len(Arm):
                del seen.blocks[place]
                if place[0] not in seen.missed:
                    seen.failures.setdefault(place[0], "only one side has this measurement")
        return seen

    def heard(self, arm: Arm, order: Order) -> Order:  # noqa: ARG002 - who has two trees needs to know which
        """The order as this side's process has to hear it."""
        return order


@dataclass(slots=True, kw_only=True)
class _BlockRun:
    """One block: children, two or one at a time, on their way through the tests."""

    processes: PairedProcesses
    seed: int
    draw: random.Random
    asked: Mapping[str, PairOrder]
    seen: PairBlock
    children: list[PairedChild] = field(default_factory=list)
    start_seconds: float = 0.0

    def play(self, arms: Sequence[Arm], hash_seed: str) -> None:
        """Start a process for each of these sides, and take them through all tests."""
        began, extra = self.processes.clock(), {"PYTHONHASHSEED": hash_seed}
        with ExitStack() as stack:
            self.children = []
            for arm in arms:  # they start side by side: importing a framework takes seconds
                launch = self.processes.launches[arm]
                process = stack.enter_context(self.processes.open_child(launch, timing=True, extra=extra))
                orders = tuple(self.processes.heard(arm, one.orders[arm]) for one in self.asked.values())
                process.say(Orders(orders=orders, watched=self.processes.watched, scratch=process.scratch))
                self.children.append(PairedChild(arm, process, tests=list(self.asked)))
            for child in self.children:
                child.start()
            self.start_seconds = self.processes.clock() - began
            for test in self.asked:
                self.seen.seconds[test] += self.start_seconds / len(self.asked)
            self._go_through()

    def _go_through(self) -> None:
        one_sided: dict[str, str] = {}
        while any(child.at is not None for child in self.children) and not any(one.died for one in self.children):
            began = self.processes.clock()
            first = min(self.children, key=lambda child: child.turn_in_order)
            place = first.at or ("", "")
            if all(child.at == place for child in self.children):
                self._time(place)
            else:  # one side has something that the other lacks there: skipped, failed or called otherwise
                one_sided.setdefault(place[0], _only(first, place))
            self.seen.seconds[place[0]] += self.processes.clock() - began
            for child in self._shuffled():
                if child.at == place:
                    self._advance(child, place[0])
        failed = {test: f"{one.arm.code}: {why}" for one in self.children for test, why in one.failures.items()}
        self.seen.failures |= one_sided | failed
        self.seen.missed |= frozenset(
            test for one in self.children if one.died for test in self.asked if test not in one.reached | failed.keys()
        )
        self.seen.files |= {child.arm: child.files for child in self.children}

    def _shuffled(self) -> list[PairedChild]:
        return self.draw.sample(self.children, len(self.children))

    def _advance(self, child: PairedChild, test: str) -> None:
        """Let one side go on; what it prepares on its way is the next test's time."""
        began = self.processes.clock()
        child.advance()
        self.seen.seconds[child.at[0] if child.at else test] += self.processes.clock() - began

    def _time(self, place: Place) -> None:
        """Time one label on both sides, if it is wanted."""
        asked = self.asked[place[0]]
        kinds = frozenset({Turns.CALLS}) if asked.wanted is None else asked.wanted.get(place[1])
        if not kinds:
            return
        self.processes.machine.start()
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
        interleaving = Interleaving(children, self.processes.machine)
        interleaving.take_turns(planned, kinds=kinds, queues=any(one.queues for one in warm))
        if interleaving.complete:
            known = self.seen.blocks.get(place) or Block(seed=self.seed, turns=())
            self.seen.blocks[place] = replace(
                known,
                turns=(*known.turns, *interleaving.turns),
                disturbances=(*known.disturbances, *interleaving.disturbances(), *self.processes.machine.seen()),
                thrown_away=known.thrown_away + interleaving.thrown_away,
            )


def _only(child: PairedChild, place: Place) -> str:
    what = f"the measurement {place[1]!r}" if place[1] else "this measurement"
    return f"only the {child.arm.code} has {what}"


def fresh_seed() -> int:
    """A seed from the system, to be shown and used again."""
    return random.SystemRandom().randrange(2**31)

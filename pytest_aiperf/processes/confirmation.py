"""Suspicions confirmed by pairs: blocks of all open tests together, look after look, until each is decided."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from pytest_aiperf.judging.sequential import LOOKS
from pytest_aiperf.judging.statistics import fewest_samples
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.processes.pairs import PairBlock, PairOrder, fresh_seed
from pytest_aiperf.processes.reference import Reference
from pytest_aiperf.vocabulary.orders import Role
from pytest_aiperf.vocabulary.pairing import Arm, Block, Pairing, Turn
from pytest_aiperf.vocabulary.terms import MEDIAN, Cache, ConfirmedBy, Metric

TRIES = 3
"""How often a block is measured until nothing disturbed it."""
FEWEST_PAIRS = 3
"""Pairs that a test gets whatever they cost: they decide what is gross."""
OUT_OF_MEMORY = ("out of memory", "memoryerror", "bad_alloc", "cannot allocate memory")
"""How processes and runtimes say that the memory was not enough; a killed child is guessed to have had too little."""
Wanted = Mapping[str, frozenset[str]]
"""Label -> names of metrics."""


@dataclass(slots=True, kw_only=True)
class OpenTest:
    """A test that pairs have to decide, and how far they have come with it."""

    trial: Trial
    wanted: Callable[[], Wanted]
    """Judges again: what is still open."""
    rounds: int = 0
    disturbed: int = 0
    """Disturbed blocks in a row."""
    last_seconds: float = 0.0

    @property
    def test(self) -> str:
        """The node id."""
        return self.trial.order.test


@dataclass(slots=True, kw_only=True)
class Confirmation:
    """Pairs of a run; everything that touches the machine comes in as an argument."""

    reference: Reference
    metrics: Mapping[str, Metric]
    exclusive: Callable[[str], AbstractContextManager[object]]
    budget: float
    clock: Callable[[], float] = time.monotonic
    seeds: Iterator[int] = field(default_factory=lambda: itertools.count(fresh_seed()))
    """One for each block."""
    together: bool = True
    """Whether both sides of a block are alive at once."""

    def confirm(self, open_tests: Sequence[OpenTest]) -> None:
        """Measure until no test wants more; what was seen, or why nothing was, lies in their trials' pairings."""
        if failure := self.reference.prepare():
            for open_test in open_tests:
                self.give_up(open_test, failure)
            return
        for open_test in open_tests:
            self._exempt(open_test)
        self._decide_by(open_tests, ConfirmedBy.TURNS, self._turns)
        for open_test in open_tests:
            self._decide_by([open_test], ConfirmedBy.PROCESSES, self._processes)
            for label in open_test.wanted():
                open_test.trial.pairings[label] = replace(self._pairing(open_test, label), ended=True)

    def give_up(self, open_test: OpenTest, reason: str, *, anomaly: bool = False) -> None:
        """Leave a test undecided, for a reason; blocks of code that was not each side's own are no evidence."""
        for label in open_test.wanted() or open_test.trial.pairings:
            known = self._pairing(open_test, label)
            if known.failure is None or anomaly:
                blocks = () if anomaly else known.blocks
                open_test.trial.pairings[label] = replace(known, blocks=blocks, failure=reason, anomaly=anomaly)

    def close(self) -> None:
        """Leave nothing of the reference behind."""
        self.reference.close()

    def _exempt(self, open_test: OpenTest) -> None:
        """Metrics that pairs cannot compare here get a reason instead."""
        known = self.reference.uncompared
        for label, metrics in open_test.wanted().items():
            if reasons := {name: known[name] for name in metrics & known.keys()}:
                open_test.trial.pairings[label] = replace(self._pairing(open_test, label), uncompared=reasons)

    def _decide_by(
        self, open_tests: Sequence[OpenTest], how: ConfirmedBy, measure: Callable[[Sequence[OpenTest]], PairBlock]
    ) -> None:
        """Measure what is confirmed in that way, look after look, until each test is decided or given up."""
        standing = [replace(one) for one in open_tests if self._open(one, how)]
        while standing:
            seen = measure(standing)
            mixed = self.reference.mixed_up(seen.files)
            for one in standing:
                self._take(one, seen, how)
                if mixed is not None:
                    self.give_up(one, mixed.reason, anomaly=mixed.anomaly)
            standing = [one for one in standing if self._goes_on(one, how)]

    def _take(self, one: OpenTest, seen: PairBlock, how: ConfirmedBy) -> None:
        one.rounds += 1
        one.last_seconds = seen.seconds.get(one.test, 0.0)
        blocks = []
        for label, names in self._open(one, how).items():
            known = self._pairing(one, label)
            added = [block.only(names)] if (block := seen.blocks.get((one.test, label))) else []
            seconds = known.seconds + one.last_seconds
            models = [path for entry in one.trial.entries.values() for path in entry.seen.paths]
            one.trial.pairings[label] = replace(
                known, blocks=(*known.blocks, *added), seconds=seconds, common=self.reference.common(models)
            )
            blocks += added
        if blocks:
            one.disturbed = one.disturbed + 1 if all(block.disturbances for block in blocks) else 0
        if reason := seen.failures.get(one.test):
            self.give_up(one, reason)

    def _turns(self, standing: Sequence[OpenTest]) -> PairBlock:
        """Times per call: every open test in one block."""
        with self.exclusive(f"pair {standing[0].rounds + 1} of {len(standing)} tests"):
            asked = [self._pair_order(one) for one in standing]
            seen = self.reference.block(next(self.seeds), asked, together=self.together)
        if self.together and any(_lacked_memory(reason) for reason in seen.failures.values()):
            self.together = False  # perhaps both sides do not fit at once: from now on one after the other
            return self._turns(standing)
        return seen

    def _processes(self, standing: Sequence[OpenTest]) -> PairBlock:
        """Load times and peaks of one test: one value per process, a pair after the other."""
        one, *_ = standing
        wanted, began, seed = self._open(one, ConfirmedBy.PROCESSES), self.clock(), next(self.seeds)
        seen, turns = PairBlock(), list[tuple[str, Turn]]()
        with self.exclusive(f"pair {one.rounds + 1} of {one.test}"):
            if not one.rounds:
                for arm in Arm:  # neither tree may have bytecode yet, the old one perhaps no running code at all
                    self._one_side(one, arm, Cache.WARM, seen)
            for load in self._caches(wanted):
                for arm in random.Random(seed).sample(list(Arm), 2):  # noqa: S311 - no secret
                    turns += self._one_side(one, arm, load, seen)
        for label, names in wanted.items():
            if own := tuple(turn for of, turn in turns if of == label and names & turn.values.keys()):
                seen.blocks[one.test, label] = Block(seed=seed, turns=own)
        seen.seconds[one.test] = self.clock() - began
        return seen

    def _one_side(self, one: OpenTest, arm: Arm, load: Cache, seen: PairBlock) -> list[tuple[str, Turn]]:
        report = self.reference.run(arm, replace(one.trial.order, role=Role.MEMORY, load=load))
        if report.failure is None:
            seen.files[arm] = (*seen.files.get(arm, ()), *report.files)
        else:
            seen.failures.setdefault(one.test, f"{arm.code}: {report.failure}")
        return [
            (measurement.label, Turn(arm=arm, values={sample.metric: sample.values}))
            for measurement in report.measurements
            for sample in measurement.samples
            if sample.values
        ]

    def _open(self, one: OpenTest, how: ConfirmedBy) -> Wanted:
        """The part of what a test wants that is confirmed in that way."""
        chosen = {
            label: frozenset(name for name in names if self.metrics[name].confirmed_by is how)
            for label, names in one.wanted().items()
        }
        return {label: names for label, names in chosen.items() if names}

    def _caches(self, wanted: Wanted) -> list[Cache]:
        """How the files have to lie for what is wanted."""
        caches = {self.metrics[name].cache for names in wanted.values() for name in names}
        return [cache for cache in Cache if cache in caches]

    def _pair_order(self, one: OpenTest) -> PairOrder:
        trial = one.trial
        tails = {limit.percentile for limit in trial.limits if (limit.percentile or 0.0) > MEDIAN}
        return PairOrder(
            orders={arm: replace(trial.order, role=Role.TURNS, arm=arm) for arm in Arm},
            wanted={
                label: frozenset(self.metrics[name].turns for name in names)
                for label, names in self._open(one, ConfirmedBy.TURNS).items()
            },
            tail_calls=max((fewest_samples(tail) for tail in filter(None, tails)), default=0),
        )

    def _goes_on(self, one: OpenTest, how: ConfirmedBy) -> bool:
        pairings = one.trial.pairings.values()
        if any(pairing.failure for pairing in pairings) or not self._open(one, how):
            return False
        spent = max((pairing.seconds for pairing in pairings), default=0.0)
        in_budget = one.rounds < FEWEST_PAIRS or spent + one.last_seconds <= self.budget
        return in_budget and one.disturbed < TRIES and one.rounds < TRIES * LOOKS[-1]

    def _pairing(self, open_test: OpenTest, label: str) -> Pairing:
        known = open_test.trial.pairings.get(label) or Pairing(against=self.reference.against)
        return replace(known, budget=self.budget, ended=False)


def _lacked_memory(failure: str) -> bool:
    return any(sign in failure.lower() for sign in OUT_OF_MEMORY)

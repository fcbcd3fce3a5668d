"""Two models take turns in one process: interleaved as pairs are, but functions instead of processes."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pytest_aiperf.judging.block_differences import answer_of
from pytest_aiperf.judging.sequential import ENOUGH, LOOKS
from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.measuring.driver import Driver, collector_off, without_loop
from pytest_aiperf.measuring.interleaving import Interleaving, plan
from pytest_aiperf.measuring.metrics import latency
from pytest_aiperf.measuring.paired_turns import take_turn, warm_up
from pytest_aiperf.vocabulary.contracts import Tools
from pytest_aiperf.vocabulary.messages import TakeTurn, TimedTurn
from pytest_aiperf.vocabulary.pairing import Arm, Block
from pytest_aiperf.vocabulary.records import Margins
from pytest_aiperf.vocabulary.terms import Status, Turns

TRIES = 3
"""Disturbed blocks in a row after which it is no use."""
PATIENCE = 2.0
"""Seconds to wait for a quiet machine; fresh processes wait longer."""
NOVEL_CALLS = 5
CACHED = 3.0
"""So much faster on an input that it has seen than on a new one, and a model is taken to remember its answers."""
SHORTEST_NOVEL = 50e-6


@dataclass(slots=True)
class TimedModel:
    """One model, bound to its inputs, as one arm; it takes its turns as a fresh process would."""

    arm: Arm
    driver: Driver

    def turn(self, asked: TakeTurn) -> TimedTurn:
        """One turn."""
        return without_loop(self.driver.follow(take_turn(self.driver.tools, asked)))


def interleaved_blocks(
    functions: Mapping[Arm, Callable[[], Any]],
    tools: Tools,
    *,
    margins: Margins,
    max_seconds: float,
    machine: MachineWatch,
    draw: random.Random,
) -> tuple[Block, ...]:
    """Blocks of alternating turns until a look decides, 24 of them or `max_seconds` at most."""
    arms = [TimedModel(arm, Driver(function, tools)) for arm, function in functions.items()]
    blocks: list[Block] = []
    spent = 0.0
    gc.collect()
    with collector_off():
        warm = [without_loop(one.driver.follow(warm_up(tools))) for one in arms]
        planned = plan(median(one.seconds for one in warm), tail_calls=0, start_seconds=0.0, tests=1)
        while len(blocks) < LOOKS[-1] and (spent < max_seconds or not blocks):
            children = draw.sample(arms, len(arms))
            interleaving = Interleaving(children, machine)
            machine.start()
            interleaving.take_turns(planned, kinds=(Turns.CALLS,), queues=False)
            blocks.append(
                Block(
                    seed=len(blocks),
                    turns=tuple(interleaving.turns),
                    disturbances=(*interleaving.disturbances(), *machine.seen()),
                    thrown_away=interleaving.thrown_away,
                )
            )
            spent += sum(turn.elapsed for turn in interleaving.turns)
            if len(blocks) >= TRIES and all(block.disturbances for block in blocks[-TRIES:]):
                break
            calm = sum(not block.disturbances for block in blocks)
            if calm >= ENOUGH and calm in LOOKS and _answer(blocks, margins) is not Status.INCONCLUSIVE:
                break
    return tuple(blocks)


def _answer(blocks: Sequence[Block], margins: Margins) -> Status:
    return answer_of(blocks, latency.METRIC.name, tolerance=margins.tolerance, most=margins.max_slowdown)[0]


def remembers(call: Callable[[], Any], novel: Sequence[Callable[[], Any]], tools: Tools) -> float | None:
    """How many times faster a model answers what it has seen than what is new, where that is a sign of a cache."""
    if not novel:
        return None
    fresh = median(_seconds(function, 1, tools)[0] for function in novel)
    known = min(_seconds(call, NOVEL_CALLS, tools))
    return fresh / known if fresh > CACHED * known and fresh - known > SHORTEST_NOVEL else None


def _seconds(function: Callable[[], Any], calls: int, tools: Tools) -> Sequence[float]:
    turn = take_turn(tools, TakeTurn(calls=calls, batch=1, kind=Turns.CALLS))
    return without_loop(Driver(function, tools).follow(turn)).values[latency.METRIC.name]

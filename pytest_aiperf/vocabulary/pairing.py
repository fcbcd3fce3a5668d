"""What interleaved pairs saw: old and new code in fresh processes, taking turns."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

REFERENCE_MODEL = "the reference"
"""What a candidate is paired with in a comparison of two models."""


class Arm(Enum):
    """What ran: the reference (old code, or the model that is not optimised) or what is held against it."""

    REFERENCE = "reference"
    CANDIDATE = "candidate"

    @property
    def code(self) -> str:
        """What people call it where two revisions are paired."""
        return "old code" if self is Arm.REFERENCE else "new code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of one side."""

    arm: Arm
    values: Mapping[str, tuple[float, ...]]
    """Metric -> values in its base unit: one per call (latency), burst (throughput) or process (load time, memory)."""
    elapsed: float = 0.0
    """Seconds of the whole turn."""
    foreign: float | None = None
    """Processor seconds that other processes used meanwhile; None where unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fresh process per arm, and one label's turns in the order in which they were taken."""

    seed: int
    """Drew the order of the turns and the hash seed of both processes."""
    turns: tuple[Turn, ...]
    disturbances: tuple[str, ...] = ()
    """What disturbed the machine; such a block is measured again and decides nothing."""
    thrown_away: int = 0
    """Turns that were repeated because somebody else used the processor."""

    def only(self, metrics: Collection[str]) -> Block:
        """Of these metrics: what a turn gave beside them was not asked for, and decides nothing."""
        turns = (
            replace(turn, values={name: seen for name, seen in turn.values.items() if name in metrics})
            for turn in self.turns
        )
        return replace(self, turns=tuple(turn for turn in turns if turn.values))

    def values_of(self, arm: Arm, metric: str) -> list[float]:
        """All that one arm's turns gave of one metric."""
        return [value for turn in self.turns if turn.arm is arm for value in turn.values.get(metric, ())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What pairs say of two models; NaN where nothing was timed."""

    speedup: float = math.nan
    """Seconds of the reference over those of the candidate; above 1 is faster."""
    low: float = math.nan
    high: float = math.nan
    """What the pairs leave possible (confidence about 99 %)."""
    pairs: int = 0
    reference_seconds: float = math.nan
    """Median of one call."""
    candidate_seconds: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """All blocks of one label, or why there are none."""

    against: str
    """The reference revision, `main@1a2b3c4`, or the reference model of a comparison."""
    blocks: tuple[Block, ...] = ()
    failure: str | None = None
    """Why nothing could be compared: the old code's own message, or a proof that both sides ran the same code."""
    screen: tuple[Block, ...] = ()
    """Of a comparison: turns of both models in the test's own process. They may pass a candidate, never fail it."""
    uncompared: Mapping[str, str] = field(default_factory=dict)
    """Metric -> why pairs say nothing about it on this machine."""
    anomaly: bool = False
    """Whether `failure` is a mistake of the set-up that nobody should pass over."""
    seconds: float = 0.0
    """This label's share of the time that its blocks took."""
    budget: float = 0.0
    """Seconds that it was allowed to take; 0: no bound."""
    ended: bool = False
    """Whether no more blocks will come."""
    common: tuple[str, ...] = ()
    """Files of neither revision that both sides read alike: pairs cannot see what changed in them."""

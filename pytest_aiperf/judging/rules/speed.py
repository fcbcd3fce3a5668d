"""How fast a candidate is beside its reference, from the pairs that both took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from pytest_aiperf.judging.rules.paired import ESTIMATOR, differences
from pytest_aiperf.judging.sequential import look
from pytest_aiperf.vocabulary.pairing import Arm, Block, Speed

LATENCY = "latency"


def speed_of(blocks: Sequence[Block]) -> Speed:
    """The estimate and its interval; of less than two undisturbed pairs the estimate alone, between 0 and infinity."""
    seconds = {
        arm: [value for block in blocks for turn in block.turns if turn.arm is arm for value in turn.values]
        for arm in Arm
    }
    if not all(seconds.values()):
        return Speed()
    old, new = (median(seconds[arm]) for arm in (Arm.REFERENCE, Arm.CANDIDATE))
    logs = differences(blocks, LATENCY, share=ESTIMATOR)
    if len(logs) < 2:  # noqa: PLR2004 - one difference has no spread
        every = differences([Block(seed=one.seed, turns=one.turns) for one in blocks], LATENCY, share=ESTIMATOR)
        estimate = math.exp(-median(every)) if every else math.nan
        return Speed(
            speedup=estimate, low=0.0, high=math.inf, pairs=len(logs), reference_seconds=old, candidate_seconds=new
        )
    seen = look(logs)
    return Speed(
        speedup=math.exp(-seen.estimate),
        low=math.exp(-seen.best),
        high=math.exp(-seen.low),
        pairs=seen.pairs,
        reference_seconds=old,
        candidate_seconds=new,
    )

"""How fast a candidate is beside its reference, from the pairs that both took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from pytest_aiperf.judging.rules.paired import ESTIMATOR, differences
from pytest_aiperf.judging.sequential import look
from pytest_aiperf.vocabulary.pairing import Block, Side, Speed

LATENCY = "latency"


def speed_of(blocks: Sequence[Block]) -> Speed:
    """The estimate and its interval; of less than two undisturbed pairs the estimate alone, between 0 and infinity."""
    seconds = {
        side: [value for block in blocks for leg in block.legs if leg.side is side for value in leg.values]
        for side in Side
    }
    if not all(seconds.values()):
        return Speed()
    old, new = (median(seconds[side]) for side in (Side.OLD, Side.NEW))
    logs = differences(blocks, LATENCY, share=ESTIMATOR)
    if len(logs) < 2:  # noqa: PLR2004 - one difference has no spread
        every = differences([Block(seed=one.seed, legs=one.legs) for one in blocks], LATENCY, share=ESTIMATOR)
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

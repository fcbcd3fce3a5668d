"""What blocks of pairs say of one figure: a log-difference each, and the answer of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from pytest_aiperf.judging.sequential import Look, decide
from pytest_aiperf.vocabulary.pairing import Arm, Block
from pytest_aiperf.vocabulary.terms import Status

ESTIMATOR = 0.25
"""Quantile of a side's values that stands for its block: the least noisy one in A/A pairs (benchmarks/lab)."""
TYPICAL = 0.5
"""Quantile that may object to a pass: a change may leave a quarter of the calls alone."""


def differences(
    blocks: Sequence[Block], metric: str, *, share: float | None, higher_is_better: bool = False
) -> list[float]:
    """One log-ratio new to old per undisturbed block, positive is worse.

    Of the quantile `share` of bad to good; None: of the sums, as work over time has it.
    """
    middle = partial(_middle, share=share, sign=-1.0 if higher_is_better else 1.0)
    sides = ([middle(block.values_of(arm, metric)) for arm in Arm] for block in blocks if not block.disturbances)
    return [new - old for old, new in sides]


def _middle(values: Sequence[float], *, share: float | None, sign: float) -> float:
    logs = sign * np.log(values)
    return float(np.log(np.mean(np.exp(logs))) if share is None else np.quantile(logs, share))


def apart(
    blocks: Sequence[Block], metric: str, *, share: float | None = TYPICAL, higher_is_better: bool = False
) -> list[bool]:
    """Of each undisturbed block, whether every turn of the new code was slower than every turn of the old."""
    middle = partial(_middle, share=share, sign=-1.0 if higher_is_better else 1.0)

    def middles(block: Block, arm: Arm) -> list[float]:
        turns = (turn.values.get(metric) for turn in block.turns if turn.arm is arm)
        return [middle(values) for values in turns if values]

    return [
        min(middles(block, Arm.CANDIDATE)) > max(middles(block, Arm.REFERENCE))
        for block in blocks
        if not block.disturbances
    ]


def answer_of(
    blocks: Sequence[Block],
    metric: str,
    *,
    share: float | None = ESTIMATOR,
    tolerance: float,
    most: float,
    higher_is_better: bool = False,
    last: bool = False,
) -> tuple[Status, Look | None]:
    """What the undisturbed blocks say of one figure; where quiet calls stand for it, the typical ones may object."""
    logs, typical = (
        differences(blocks, metric, share=one, higher_is_better=higher_is_better) for one in (share, TYPICAL)
    )
    return decide(
        logs,
        tolerance=tolerance,
        most=most,
        typical=typical if share == ESTIMATOR else (),
        apart=apart(blocks, metric, share=TYPICAL if share == ESTIMATOR else share, higher_is_better=higher_is_better),
        last=last,
    )


def fewest_values(block: Block, metric: str) -> int:
    """Of the side that has fewer."""
    return min(len(block.values_of(arm, metric)) for arm in Arm)

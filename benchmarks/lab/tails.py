"""The 95th percentile in pairs whose new side is slower in one call of twenty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.lab.recorded import Recorded
from pytest_aiperf.judging.block_differences import answer_of, differences
from pytest_aiperf.judging.sequential import LOOKS, decide
from pytest_aiperf.judging.statistics import fewest_samples
from pytest_aiperf.vocabulary.pairing import Arm, Block
from pytest_aiperf.vocabulary.records import Margins
from pytest_aiperf.vocabulary.terms import Status

PERCENTILE = 95.0
REPLAYS = 300
ORDER = (Status.REGRESSED, Status.PASSED, Status.IMPROVED, Status.INCONCLUSIVE)


def text(data: Recorded) -> str:
    """One row per injected slowdown of one call in twenty; empty where nothing was recorded."""
    margins = Margins()
    injected = sorted({key[2] for key in data.blocks if key[2].startswith("tail")})
    if not injected:
        return ""
    limits = f"{margins.tail_tolerance:.0%} never fails, {margins.max_tail_slowdown:.0%} never passes"
    lines = [
        f"## p{PERCENTILE:g} in pairs, replayed: {limits}",
        "",
        "One call in twenty is slower by the share behind `tail:`, so the p95 lies on the edge of the slowed calls.",
        "",
        "| injected | workloads | pairs | p95 changed by | regressed | passed | improved | open | median regressed |",
        "| --- " * 9 + "|",
    ]
    return "\n".join([*lines, *(_row(data, inject, margins) for inject in injected)]) + "\n"


def _row(data: Recorded, inject: str, margins: Margins) -> str:
    draw = np.random.default_rng(1)
    said: list[Status] = []
    estimates: list[float] = []
    of_median: list[bool] = []
    pools = [enough for key, blocks in sorted(data.blocks.items()) if key[2] == inject if (enough := _long(blocks))]
    pools = [pool for pool in pools if len(pool) >= LOOKS[0]]
    for pool in pools:
        logs = np.asarray(differences(pool, "latency", share=PERCENTILE / 100))
        estimates.append(float(logs.mean()))
        for _ in range(REPLAYS):
            drawn = draw.choice(logs, LOOKS[-1], replace=len(logs) < LOOKS[-1])
            answer, _ = decide(list(drawn), tolerance=margins.tail_tolerance, most=margins.max_tail_slowdown)
            said.append(answer)
        own, _ = answer_of(pool, "latency", tolerance=margins.tolerance, most=margins.max_slowdown)
        of_median.append(own is Status.REGRESSED)
    cells = " | ".join(f"{said.count(answer) / max(1, len(said)):.1%}" for answer in ORDER)
    middle = f"{np.expm1(np.median(estimates)):+.1%}" if estimates else ""
    total = sum(len(pool) for pool in pools)
    return f"| {inject} | {len(pools)} | {total} | {middle} | {cells} | {sum(of_median)} of {len(of_median)} |"


def _long(blocks: Sequence[Block]) -> list[Block]:
    """Those with enough calls of each side."""
    needed = fewest_samples(PERCENTILE)
    return [block for block in blocks if min(_calls(block, arm) for arm in Arm) >= needed]


def _calls(block: Block, arm: Arm) -> int:
    return len(block.values_of(arm, "latency"))

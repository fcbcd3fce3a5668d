"""What the plugin's own rule says of recorded pairs, in the order in which they were taken.

python -m benchmarks.lab.replay benchmarks/lab/data/{idle,noise,injected,sensitive}.jsonl.gz --out FILE.md

Every replay takes consecutive pairs of one workload, from a drawn one on, around the end. Pairs of unchanged code are
swapped at random, pair by pair (neither side is the new one), and slowed by scaling; those with a slowdown that was
really put behind each call are taken as they are: the rule was chosen without them.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.lab.recorded import read
from pytest_aiperf.judging.block_differences import ESTIMATOR, TYPICAL, differences
from pytest_aiperf.judging.sequential import LOOKS, decide
from pytest_aiperf.vocabulary.pairing import Arm, Block
from pytest_aiperf.vocabulary.terms import Status

LATENCY = "latency"
SLOWDOWNS = (0.0, 0.01, 0.03, 0.05, 0.10, 0.25)
MARGINS = {"tolerance": 0.01, "most": 0.05}
EARLY = 4
UNCHANGED = "none"


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was said of one slowdown in one state."""

    said: Counter[Status] = field(default_factory=Counter)
    pairs: list[int] = field(default_factory=list)

    def row(self, name: str) -> str:
        """With Clopper-Pearson intervals, 95 %; replays share recordings, so they are narrower than they should be."""
        passed = self.said[Status.PASSED] + self.said[Status.IMPROVED]
        counts = (self.said[Status.REGRESSED], self.said[Status.INCONCLUSIVE], passed)
        early = float(np.mean([one <= EARLY for one in self.pairs]))
        cells = (_share(count, len(self.pairs)) for count in counts)
        return f"| {name} | {len(self.pairs)} | {' | '.join(cells)} | {np.mean(self.pairs):.1f} | {early:.0%} |"


def _share(count: int, total: int) -> str:
    low, high = stats.binomtest(count, total).proportion_ci(0.95)
    return f"{100 * count / total:.2f} % [{100 * low:.2f}, {100 * high:.2f}]"


def figures(block: Block) -> tuple[float, float, float, float]:
    """Of one pair: quiet and typical difference, and how far apart the turns lie, either way round."""
    quiet, typical = (differences([block], LATENCY, share=share)[0] for share in (ESTIMATOR, TYPICAL))
    old, new = (
        [math.log(float(np.median(turn.values[LATENCY]))) for turn in block.turns if turn.arm is arm] for arm in Arm
    )
    return quiet, typical, min(new) - max(old), min(old) - max(new)


def replayed(pool: np.ndarray, slowdown: float, *, swap: bool, random: np.random.Generator) -> tuple[Status, int]:
    """One verdict; `pool` holds the figures of each pair, in order."""
    taken = pool[(random.integers(len(pool)) + np.arange(min(len(pool), LOOKS[-1]))) % len(pool)]
    sign = random.choice([-1, 1], len(taken)) if swap else np.ones(len(taken))
    shift = math.log1p(slowdown)
    said, look = decide(
        list(taken[:, 0] * sign + shift),
        typical=list(taken[:, 1] * sign + shift),
        apart=list(np.where(sign > 0, taken[:, 2], taken[:, 3]) + shift > 0),
        last=len(taken) < LOOKS[-1],
        **MARGINS,
    )
    return said, look.pairs if look is not None else 0


def table(files: Sequence[Path], *, replays: int, seed: int) -> list[str]:
    """A row for each state and slowdown, over all workloads."""
    data, random = read(files, purpose="evaluation"), np.random.default_rng(seed)
    pools: dict[tuple[str, str], list[np.ndarray]] = {}
    for (state, _, inject, process), blocks in sorted(data.blocks.items()):
        if process == "default" and len(blocks) >= LOOKS[3]:
            pools.setdefault((state, inject), []).append(np.array([figures(block) for block in blocks]))
    rows = [
        "| recorded | replays | regressed | open | passed | pairs | within 4 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (state, inject), seen in sorted(pools.items(), key=lambda item: (item[0][1] != UNCHANGED, item[0])):
        for slowdown in SLOWDOWNS if inject == UNCHANGED else (0.0,):
            tally = Tally()
            for pool in seen:
                for _ in range(replays):
                    said, pairs = replayed(pool, slowdown, swap=inject == UNCHANGED, random=random)
                    tally.said[said] += 1
                    tally.pairs.append(pairs)
            name = f"{state}, +{slowdown:.0%}" if inject == UNCHANGED else f"{state}, really slowed: {inject}"
            rows.append(tally.row(f"{name} ({len(seen)} workloads)"))
    return rows


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--replays", type=int, default=300, help="per workload and slowdown")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    text = "\n".join(["# Replayed pairs", "", *table(asked.files, replays=asked.replays, seed=asked.seed), ""])
    if asked.out is None:
        print(text)
    else:
        asked.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

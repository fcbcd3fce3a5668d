"""How other tools decide, on recorded sessions: each rule is a statistic that raises an alarm above its threshold.

Sources: pytest-benchmark `PercentageRegressionCheck` (ionelmc/pytest-benchmark, src/pytest_benchmark/utils.py);
asv `_is_result_better` and `is_different` (airspeed-velocity/asv, asv/commands/compare.py, asv/_stats.py), called from
the installed package; pytest-codspeed writes statistics and leaves the decision to its service, whose default is a
threshold in percent; criterion (bheisler/criterion.rs, book "Analysis process": bootstrap of the mean's change,
p < 0.05, noise threshold 1 %); benchstat (golang/perf, benchmath: Mann-Whitney U, alpha 0.05).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats

ASV_P, ASV_FACTOR, ASV_PROCESSES, ASV_REPEAT, ASV_SECONDS = 0.002, 1.1, 2, 10, 0.01
CRITERION_SAMPLES, CRITERION_RESAMPLES, CRITERION_P, CRITERION_NOISE = 100, 400, 0.05, 0.01
BENCHSTAT_P, BENCHSTAT_COUNT = 0.05, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One fresh process of one tool on one workload; seconds per call."""

    values: tuple[float, ...]
    minimum: float
    mean: float
    median: float
    seconds: float
    """That the session took."""

    def slowed(self, share: float) -> Session:
        """The same session of code that is slower by `share`."""
        factor = 1 + share
        return Session(
            values=tuple(value * factor for value in self.values),
            minimum=self.minimum * factor,
            mean=self.mean * factor,
            median=self.median * factor,
            seconds=self.seconds,
        )


Statistic = Callable[[Sequence[Session], Sequence[Session]], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Alarm where `statistic(old sessions, new sessions)` is above `threshold`, a slowdown as a fraction."""

    name: str
    statistic: Statistic
    threshold: float
    sessions: int = 1
    """Per side."""
    comparisons: int = 200
    """Pairs of sessions per workload and slowdown: fewer where one takes long."""
    tool: str = "pytest-benchmark"
    """Whose sessions it judges."""
    neighbours: bool = False
    """Whether sessions of both sides alternate without a break, as the tool runs them; else any of the night's."""


def ratio(of: str, old: Sequence[Session], new: Sequence[Session]) -> float:
    """Change of the median over sessions of one statistic."""
    before, after = (float(np.median([getattr(one, of) for one in arm])) for arm in (old, new))
    return after / before - 1


def asv(old: Sequence[Session], new: Sequence[Session]) -> float:
    """Change of the median where asv calls the samples different, else no change."""
    from asv import _stats

    a, b = _asv_samples(old), _asv_samples(new)
    different = _stats.is_different(a, b, {}, {})
    return float(np.median(b) / np.median(a) - 1) if different else -math.inf


def criterion(old: Sequence[Session], new: Sequence[Session], *, seed: int = 0) -> float:
    """Lower end of the bootstrapped change of the mean where p < 0.05, else no change."""
    random = np.random.default_rng(seed)
    a, b = (_some([value for one in arm for value in one.values], CRITERION_SAMPLES, random) for arm in (old, new))
    if stats.ttest_ind(a, b, equal_var=False).pvalue >= CRITERION_P:
        return -math.inf
    means_a, means_b = (random.choice(arm, (CRITERION_RESAMPLES, len(arm))).mean(axis=1) for arm in (a, b))
    return float(np.quantile(means_b / means_a - 1, 0.025))


def benchstat(old: Sequence[Session], new: Sequence[Session]) -> float:
    """Change of the median of ten runs in one process where Mann-Whitney's p < 0.05, else no change."""
    a, b = (_groups(arm, BENCHSTAT_COUNT) for arm in (old, new))
    if stats.mannwhitneyu(a, b, method="auto").pvalue >= BENCHSTAT_P:
        return -math.inf
    return float(np.median(b) / np.median(a) - 1)


def asv_own(old: Sequence[Session], new: Sequence[Session]) -> float:
    """The same on the samples that asv itself took."""
    from asv import _stats

    a, b = ([value for one in arm for value in one.values] for arm in (old, new))
    return float(np.median(b) / np.median(a) - 1) if _stats.is_different(a, b, {}, {}) else -math.inf


def _asv_samples(sessions: Sequence[Session]) -> list[float]:
    """Ten samples a process, each the mean of calls worth 10 ms."""
    samples: list[float] = []
    for one in sessions:
        size = max(1, math.ceil(ASV_SECONDS / one.median))
        values = np.resize(np.asarray(one.values), size * ASV_REPEAT)
        samples += [float(part.mean()) for part in np.split(values, ASV_REPEAT)]
    return samples


def _groups(sessions: Sequence[Session], count: int) -> list[float]:
    values = np.concatenate([one.values for one in sessions])
    return [float(part.mean()) for part in np.array_split(values, min(count, len(values)))]


def _some(values: Sequence[float], most: int, random: np.random.Generator) -> np.ndarray:
    array = np.asarray(values)
    return array if len(array) <= most else random.choice(array, most, replace=False)


def defaults() -> tuple[Rule, ...]:
    """Each rule as its tool applies it out of the box."""
    return (
        Rule(name="pytest-benchmark min:5%", statistic=partial(ratio, "minimum"), threshold=0.05),
        Rule(name="pytest-benchmark median:5%", statistic=partial(ratio, "median"), threshold=0.05),
        Rule(name="pytest-benchmark mean:10%", statistic=partial(ratio, "mean"), threshold=0.10),
        Rule(
            name="asv continuous",
            statistic=asv_own,
            threshold=ASV_FACTOR - 1,
            sessions=ASV_PROCESSES,
            tool="asv",
            neighbours=True,
        ),
        Rule(
            name="asv's rule on pytest-benchmark's samples",
            statistic=asv,
            threshold=ASV_FACTOR - 1,
            sessions=ASV_PROCESSES,
            comparisons=24,
        ),
        Rule(name="codspeed walltime, 5 %", statistic=partial(ratio, "median"), threshold=0.05, tool="pytest-codspeed"),
        Rule(name="criterion's rule", statistic=criterion, threshold=CRITERION_NOISE),
        Rule(name="benchstat's rule", statistic=benchstat, threshold=0.0),
        Rule(name="benchstat's rule, 5 %", statistic=benchstat, threshold=0.05),
    )

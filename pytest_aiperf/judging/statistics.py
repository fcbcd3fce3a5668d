"""Numbers in, numbers out: what the verdicts rest on (docs/statistics.md)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

PRIOR_FREEDOM = 4.0
"""nu0: how many degrees of freedom the suite's variance is worth in that of one test."""
PRIOR_VARIANCE = 0.02**2
"""Between-session variance of log seconds to assume where too few tests have history."""
SMALLEST_VARIANCE = 0.005**2
STEEPEST_SLOPE = 1.25
FITTED_SESSIONS = 5
"""Fewer sessions than this tell nothing of how a test follows the reference workload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Stored sessions of one figure, summed up: log values, positive is worse."""

    count: int
    centre: float
    variance: float
    freedom: int
    slope: float = 0.0
    """How the figure follows the covariate."""
    covariate_centre: float = 0.0
    covariate_spread: float | None = None
    """Sum of squares of the covariate; None where the slope was not fitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """How far a new session lies from its history (`shift`), and how far it may by chance."""

    shift: float
    sd: float
    freedom: float

    def low(self, probability: float) -> float:
        """One-sided lower bound of the shift."""
        return self.shift - float(special.stdtrit(self.freedom, probability)) * self.sd

    def high(self, probability: float) -> float:
        """One-sided upper bound of the shift."""
        return self.shift + float(special.stdtrit(self.freedom, probability)) * self.sd


def summarise(logs: Sequence[float], covariates: Sequence[float] | None = None) -> History:
    """Centre, slope and residual variance of one or more sessions (docs/statistics.md, steps 2 and 3).

    The slope is shrunk to 0, so that a useless covariate costs almost nothing.
    """
    count = len(logs)
    y = np.asarray(logs, dtype=float)
    centre = float(y.mean())
    residuals, freedom = y - centre, count - 1
    slope = covariate_centre = spread = 0.0
    if covariates is not None and count >= FITTED_SESSIONS:
        c = np.asarray(covariates, dtype=float)
        covariate_centre = float(c.mean())
        away = c - covariate_centre
        spread = float((away**2).sum())
        if spread > 0:
            slope = min(max(float((away * residuals).sum()) / (spread * (1 + 2 / count)), 0.0), STEEPEST_SLOPE)
            residuals, freedom = residuals - slope * away, count - 2
    return History(
        count=count,
        centre=centre,
        variance=float((residuals**2).sum()) / freedom if freedom else 0.0,
        freedom=freedom,
        slope=slope,
        covariate_centre=covariate_centre,
        covariate_spread=spread or None,
    )


def moderate(variance: float, freedom: float, prior: float) -> tuple[float, float]:
    """A variance drawn towards `prior`, and its degrees of freedom (Smyth 2004, with a fixed weight)."""
    total = PRIOR_FREEDOM + freedom
    return (PRIOR_FREEDOM * prior + freedom * variance) / total, total


def prior_variance(suite_variance: float | None) -> float:
    """The variance to assume of a test without history: the suite's, never below the floor."""
    return PRIOR_VARIANCE if suite_variance is None else max(suite_variance, SMALLEST_VARIANCE)


def predict(history: History, log_value: float, covariate: float | None, *, prior: float) -> Prediction:
    """Hold a new session against its history (docs/statistics.md, steps 4 and 5)."""
    variance, freedom = moderate(history.variance, history.freedom, prior)
    shift = log_value - history.centre
    share = 1 + 1 / history.count
    if history.covariate_spread is not None and covariate is not None:
        away = covariate - history.covariate_centre
        shift -= history.slope * away
        share += away**2 / history.covariate_spread
    return Prediction(shift=shift, sd=math.sqrt(variance * share), freedom=freedom)


def predict_run(log_values: Sequence[float], history: History | None, *, prior: float) -> Prediction:
    """What one more run would show, from the runs of today: `shift` is their median log value.

    The spread between today's runs and between stored sessions both count; neither is divided away.
    """
    runs = np.asarray(log_values, dtype=float)
    stored = (history.variance, history.freedom) if history is not None else (0.0, 0)
    squares = float(((runs - runs.mean()) ** 2).sum()) + stored[0] * stored[1]
    freedom = len(runs) - 1 + stored[1]
    variance, total = moderate(squares / freedom if freedom else 0.0, freedom, prior)
    return Prediction(shift=float(np.median(runs)), sd=math.sqrt(variance * (1 + 1 / len(runs))), freedom=total)


def autocorrelation(values: Sequence[float]) -> float:
    """Lag-1 autocorrelation, 0 where it is negative or there is no variation."""
    y = np.asarray(values, dtype=float)
    y = y - y[0]  # the mean of equal floats may differ from them, and rounding errors correlate perfectly
    y = y - y.mean()
    squares = float((y**2).sum())
    if len(y) < 3 or squares == 0:  # noqa: PLR2004 - two differences make a correlation
        return 0.0
    return min(max(float((y[1:] * y[:-1]).sum()) / squares, 0.0), 0.99)


def independent_share(values: Sequence[float]) -> float:
    """Share of the values that count as independent: (1 - rho) / (1 + rho)."""
    rho = autocorrelation(values)
    return (1 - rho) / (1 + rho)


def at_most(over: int, count: int, share: float) -> float:
    """P(X <= over) for X ~ Bin(count, share)."""
    return float(special.bdtr(over, count, share))


def at_least(over: int, count: int, share: float) -> float:
    """P(X >= over) for X ~ Bin(count, share)."""
    return 1.0 if over <= 0 else float(special.bdtrc(over - 1, count, share))


def fewest_samples(percentile: float, confidence: float = 0.95) -> int:
    """How many independent samples a one-sided upper bound of a percentile needs at least."""
    return math.ceil(math.log(1 - confidence) / math.log(percentile / 100))


def mid_p(wrong: int, right: int) -> float:
    """One-sided mid-p McNemar test that more examples turned wrong than right.

    P(X > wrong) + P(X = wrong) / 2 with X ~ Bin(wrong + right, 1/2) (Fagerland, Lydersen, Laake 2013).
    """
    flips = wrong + right
    if flips == 0:
        return 0.5
    return (at_least(wrong + 1, flips, 0.5) + at_least(wrong, flips, 0.5)) / 2


def needed_examples(flip_rate: float, margin: float) -> int:
    """How many examples show a loss of `margin` (95 % confidence, 90 % power) when `flip_rate` of them change."""
    z = float(special.ndtri(0.95)) + float(special.ndtri(0.90))
    return max(1, math.ceil(z**2 * flip_rate / margin**2))


def tango(wrong: int, right: int, count: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of the paired difference (wrong - right) / count (Tango 1998, equation 14)."""
    z = float(special.ndtri((1 + confidence) / 2))

    def score(delta: float) -> float:
        a = 2 * count
        b = -wrong - right + (2 * count - wrong + right) * delta
        c = -right * delta * (1 - delta)
        other = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        variance = count * (2 * other + delta * (1 - delta))
        away = wrong - right - count * delta
        if variance <= 0:
            return math.copysign(math.inf, away) if away else 0.0
        return away / math.sqrt(variance)

    estimate = (wrong - right) / count
    low = estimate if estimate == -1 else _root(score, z, -1.0, estimate)
    high = estimate if estimate == 1 else _root(score, -z, estimate, 1.0)
    return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanDifference:
    """The mean of paired differences, its t interval, and the one-sided p that it is above 0."""

    mean: float
    low: float
    high: float
    p: float


def paired_t(differences: Sequence[float], *, confidence: float = 0.95) -> MeanDifference:
    """Student's t for two or more paired differences."""
    d = np.asarray(differences, dtype=float)
    mean, error = float(d.mean()), float(d.std(ddof=1)) / math.sqrt(len(d))
    if error == 0:
        return MeanDifference(mean=mean, low=mean, high=mean, p=0.0 if mean > 0 else 1.0 if mean < 0 else 0.5)
    freedom = len(d) - 1
    reach = float(special.stdtrit(freedom, (1 + confidence) / 2)) * error
    return MeanDifference(
        mean=mean, low=mean - reach, high=mean + reach, p=float(special.stdtr(freedom, -mean / error))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """The median of the slopes between all pairs of points, and its one-sided lower bound."""

    estimate: float
    low: float


def theil_sen(values: Sequence[float], *, confidence: float = 0.995) -> Slope:
    """Slope per step (Theil 1950), with the bound of Sen (1968); values that never change have slope 0."""
    y = np.asarray(values, dtype=float)
    count = len(y)
    first, second = np.triu_indices(count, k=1)
    slopes = np.sort((y[second] - y[first]) / (second - first))
    _, repeated = np.unique(y, return_counts=True)
    ties = float((repeated * (repeated - 1) * (2 * repeated + 5)).sum())
    spread = math.sqrt(max(0.0, (count * (count - 1) * (2 * count + 5) - ties) / 18))
    place = round((len(slopes) - float(special.ndtri(confidence)) * spread) / 2) - 1
    return Slope(estimate=float(np.median(slopes)), low=float(slopes[place]) if place >= 0 else -math.inf)


def _root(score: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where a falling function meets `target`, by halving; 60 halvings exhaust a double."""
    for _ in range(60):
        middle = (low + high) / 2
        if score(middle) > target:
            low = middle
        else:
            high = middle
    return (low + high) / 2

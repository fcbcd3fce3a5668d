"""Deciding on paired log-differences, look by look (docs/statistics.md, "Pairs")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from pytest_aiperf.vocabulary.terms import Status

LOOKS = (6, 10, 16, 24)
"""Numbers of pairs after which a decision may fall."""
ALPHA = 0.005
"""Chance over all looks together that a slowdown of the tolerance is called a regression."""
BETA = 0.05
"""Chance over all looks together that a slowdown of the largest allowed one passes."""
FAR = 2.0
"""Standard errors between mean and Hodges-Lehmann estimate beyond which outliers carry the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The log-differences so far, summed up; positive is worse."""

    pairs: int
    estimate: float
    """Mean."""
    error: float
    """Standard error of the mean."""
    low: float
    """What the shift is above, with a quarter of `ALPHA` as risk."""
    high: float
    """What it is below, with a quarter of `BETA` as risk."""
    best: float
    """What it is below, with a quarter of `ALPHA` as risk."""
    outlying: bool
    """Whether a few outliers carry the mean."""
    typical: bool = False
    """Whether it sums up the typical calls, where those spoke against the quiet ones."""

    def smallest_visible(self, tolerance: float) -> float:
        """The log-slowdown that as many pairs of this spread call a regression in 95 of 100 cases."""
        reach = critical(self.pairs, ALPHA) + float(special.stdtrit(self.pairs - 1, 1 - BETA))
        return math.log1p(tolerance) + reach * self.error

    def needed_pairs(self, tolerance: float, most: float) -> int:
        """About how many pairs of this spread decide any slowdown; at least as many as there are."""
        room = math.log1p(most) - math.log1p(tolerance)
        reach = critical(self.pairs, ALPHA) + critical(self.pairs, BETA)
        return max(self.pairs, math.ceil(self.pairs * (reach * self.error / room) ** 2)) if room > 0 else self.pairs


def critical(pairs: int, risk: float) -> float:
    """Student's t that a mean of `pairs` differences exceeds by chance with an equal share of `risk` per look."""
    return float(special.stdtrit(pairs - 1, 1 - risk / len(LOOKS)))


def look(differences: Sequence[float]) -> Look:
    """Sum up two or more differences. Raises ValueError for fewer, or for one that is not finite."""
    if len(differences) < 2:  # noqa: PLR2004 - one difference has no spread
        raise ValueError("a look needs two differences at least")
    d = np.asarray(differences, dtype=float)
    if not np.isfinite(d).all():
        raise ValueError("a difference is not finite")
    count = len(d)
    d0 = d - d[0]  # equal differences have no spread, whatever rounding makes of their mean
    estimate = float(d[0] + d0.mean())
    error = float(d0.std(ddof=1)) / math.sqrt(count)
    strict, loose = critical(count, ALPHA), critical(count, BETA)
    return Look(
        pairs=count,
        estimate=estimate,
        error=error,
        low=estimate - strict * error,
        high=estimate + loose * error,
        best=estimate + strict * error,
        outlying=abs(hodges_lehmann(d) - estimate) > FAR * error,
    )


def hodges_lehmann(differences: Sequence[float] | np.ndarray) -> float:
    """Median of the means of all pairs of values, each with itself too (Hodges and Lehmann 1963)."""
    d = np.asarray(differences, dtype=float)
    first, second = np.triu_indices(len(d))
    return float(np.median((d[first] + d[second]) / 2))


def answer(seen: Look, *, tolerance: float, most: float) -> Status:
    """What one look says of a slowdown between `tolerance` (never fails) and `most` (never passes), as fractions."""
    if seen.low > math.log1p(tolerance) and not seen.outlying:
        return Status.REGRESSED
    if seen.best < -math.log1p(tolerance):
        return Status.IMPROVED
    return Status.PASSED if seen.high < math.log1p(most) else Status.INCONCLUSIVE


def decide(
    differences: Sequence[float], *, tolerance: float, most: float, typical: Sequence[float] = ()
) -> tuple[Status, Look | None]:
    """The answer of the first look that has one, and that look; else open, with everything seen (None: too little).

    `differences` are of the quiet calls, the least noisy figure, but blind to a change that leaves a quarter of the
    calls alone. So `typical`, of the same pairs by their medians, may object to a pass (see `weighed`).
    Differences after a deciding look change nothing, so that a recorded verdict can be replayed.
    """
    if len(differences) < 2:  # noqa: PLR2004 - one difference has no spread
        return Status.INCONCLUSIVE, None
    for pairs in (*(count for count in LOOKS if count <= len(differences)), len(differences)):
        seen = look(differences[:pairs])
        said = answer(seen, tolerance=tolerance, most=most)
        if typical:
            said, seen = weighed(said, seen, look(typical[:pairs]), most=most)
        if said is not Status.INCONCLUSIVE and pairs in LOOKS:
            return said, seen
    return Status.INCONCLUSIVE, seen


def weighed(said: Status, quiet: Look, typical: Look, *, most: float) -> tuple[Status, Look]:
    """What the quiet calls say, unless it is good news that the typical calls speak against, and the look that counts.

    Typical calls that are surely slower by more than `most` are a regression; where they merely seem to be, the next
    look decides.
    """
    typical = replace(typical, typical=True)
    if said in (Status.REGRESSED, Status.INCONCLUSIVE) or typical.estimate <= math.log1p(most):
        return said, quiet
    if typical.low > math.log1p(most) and not typical.outlying:
        return Status.REGRESSED, typical
    return Status.INCONCLUSIVE, typical

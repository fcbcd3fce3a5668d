"""Deciding on paired log-differences, look by look (docs/statistics.md, "Pairs")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import special

from pytest_aiperf.judging.statistics import moderate
from pytest_aiperf.vocabulary.terms import Status

ALPHA = 0.005
"""Chance over all looks together that a slowdown of the tolerance is called a regression."""
BETA = 0.05
"""Chance over all looks together that a slowdown of the largest allowed one passes."""


class Stage(NamedTuple):
    """A number of pairs after which a decision may fall, and the shares of both risks that are spent on it."""

    pairs: int
    alpha: float
    beta: float


STAGES = (
    Stage(2, 0.02, 0.00),
    Stage(3, 0.04, 0.00),
    Stage(4, 0.06, 0.08),
    Stage(6, 0.13, 0.20),
    Stage(8, 0.10, 0.12),
    Stage(10, 0.12, 0.12),
    Stage(13, 0.12, 0.12),
    Stage(16, 0.13, 0.12),
    Stage(20, 0.13, 0.12),
    Stage(24, 0.15, 0.12),
)
"""The risks are spent as looks are taken (Lan and DeMets 1983), summed, as if no two looks shared any evidence."""
LOOKS = tuple(stage.pairs for stage in STAGES)
LAST_REACH = float(special.stdtrit(LOOKS[-1] - 1, 1 - STAGES[-1].alpha * ALPHA))
"""Student's t of a regression at the last look."""
TYPICAL_STAGE = Stage(0, 0.25, 0.25)
"""For an interval that decides nothing."""
ENOUGH = 6
"""Pairs whose own spread is believed; of fewer it is drawn towards `EARLY_SPREAD`."""
EARLY_SPREAD = 0.07
"""Standard deviation of a difference that is assumed of few pairs.

With 5 %, 1.2 % of unchanged tests failed on a machine whose processes differ by 12 %; with this one 0.4 %, and what is
25 % slower is still seen in four pairs.
"""
TRIMMED = 0.2
"""Share of the differences that the robust estimate leaves out on either side."""
MOST_VISIBLE = math.log(10)
"""Nobody is helped by a larger figure."""
WILD = 5.0
"""Robust standard deviations from the middle beyond which a pair is wild."""
SMALLEST_SCALE = 0.005
FEW_FOR_WILD = 10
"""Pairs below which one that is wild and slow keeps a test from passing."""
LOPSIDED = 0.25
"""Chance of wild pairs being slow as often as they are from which on they may be luck."""


class Estimate(NamedTuple):
    """A mean of differences, its standard error, and the degrees of freedom of that."""

    centre: float
    error: float
    freedom: float

    def reach(self, risk: float) -> float:
        """How far the true mean may lie on one side, but for a chance of `risk`."""
        return float(special.stdtrit(self.freedom, 1 - risk)) * self.error if risk > 0 else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The log-differences so far, summed up; positive is worse."""

    pairs: int
    estimate: float
    """Mean, or trimmed mean: whichever has the smaller error."""
    error: float
    """Its standard error."""
    doubt: Estimate
    """The same with the error that decides: of few pairs the spread is not believed to be as small as it looks."""
    low: float
    """What the shift is above, but for this look's share of `ALPHA`."""
    high: float
    """What it is below, but for this look's share of `BETA`."""
    best: float
    """What it is below, but for this look's share of `ALPHA`."""
    prospect: float
    """What `low` would be after all pairs, if they went on like this."""
    likely: tuple[float, float]
    """An interval for people (confidence 98.6 %): of few pairs as wide as their number asks for, and finite."""
    robust: bool
    """Whether the estimate leaves the extremes out."""
    lopsided: bool
    """Whether some pairs are far slower than the others, and none are as much faster."""
    typical: bool = False
    """Whether it sums up the typical calls, where those spoke against the quiet ones."""

    def smallest_visible(self, tolerance: float) -> float:
        """The log-slowdown that as many pairs of this spread call a regression in 95 of 100 cases."""
        reach = critical(self.doubt.freedom, ALPHA) + float(special.stdtrit(self.doubt.freedom, 1 - BETA))
        return min(math.log1p(tolerance) + reach * self.doubt.error, MOST_VISIBLE)

    def needed_pairs(self, tolerance: float, most: float) -> int:
        """About how many pairs of this spread decide any slowdown; at least as many as there are."""
        room = math.log1p(most) - math.log1p(tolerance)
        reach = critical(self.doubt.freedom, ALPHA) + critical(self.doubt.freedom, BETA)
        return (
            max(self.pairs, math.ceil(self.pairs * (reach * self.doubt.error / room) ** 2)) if room > 0 else self.pairs
        )


def critical(freedom: float, risk: float) -> float:
    """Student's t that is exceeded by chance with a quarter of `risk`."""
    return float(special.stdtrit(freedom, 1 - risk / 4))


def look(differences: Sequence[float], stage: Stage = TYPICAL_STAGE) -> Look:
    """Sum up two or more differences. Raises ValueError for fewer, or for one that is not finite.

    Differences of pairs are calm with a few wild ones: a mean waits for ever, a trimmed mean does not; where there are
    enough pairs for both, each has half of the risk, and the better bound counts.
    """
    if len(differences) < 2:  # noqa: PLR2004 - one difference has no spread
        raise ValueError("a look needs two differences at least")
    d = np.asarray(differences, dtype=float)
    if not np.isfinite(d).all():
        raise ValueError("a difference is not finite")
    plain = mean(d)
    estimates = [plain, trimmed(d)] if int(TRIMMED * len(d)) else [plain]
    careful = estimates if len(d) >= ENOUGH else [_drawn(plain)]
    alpha, beta = (risk / len(estimates) for risk in (stage.alpha * ALPHA, stage.beta * BETA))
    best, told = (min(choice, key=lambda one: one.error) for choice in (estimates, careful))
    return Look(
        pairs=len(d),
        estimate=best.centre,
        error=best.error,
        doubt=told,
        low=max(one.centre - one.reach(alpha) for one in careful),
        high=min(one.centre + one.reach(beta) for one in estimates),
        best=min(one.centre + one.reach(alpha) for one in careful),
        prospect=best.centre - LAST_REACH * best.error * math.sqrt(len(d) / LOOKS[-1]),
        likely=(told.centre - told.reach(ALPHA / 4), told.centre + told.reach(BETA / 4)),
        robust=best is not plain,
        lopsided=lopsided(d),
    )


def mean(d: np.ndarray) -> Estimate:
    """The plain mean, with Student's t."""
    d0 = d - d[0]  # equal differences have no spread, whatever rounding makes of their mean
    return Estimate(float(d[0] + d0.mean()), float(d0.std(ddof=1)) / math.sqrt(len(d)), len(d) - 1)


def trimmed(d: np.ndarray) -> Estimate:
    """Trimmed mean, with the error of the winsorised values (Tukey and McLaughlin 1963; Yuen 1974)."""
    count, cut = len(d), int(TRIMMED * len(d))
    kept = count - 2 * cut
    ordered = np.sort(d - d[0])
    centre = float(d[0] + ordered[cut : count - cut].mean())
    winsorised = np.clip(ordered, ordered[cut], ordered[count - cut - 1])
    squares = float(((winsorised - winsorised.mean()) ** 2).sum())
    return Estimate(centre, math.sqrt(squares / (kept * (kept - 1))), kept - 1)


def _drawn(few: Estimate) -> Estimate:
    """The mean of few differences, whose spread may be small by luck, but is not larger by it."""
    pairs = few.freedom + 1
    variance, freedom = moderate(few.error**2 * pairs, int(few.freedom), EARLY_SPREAD**2)
    return Estimate(few.centre, max(few.error, math.sqrt(variance / pairs)), freedom)


def lopsided(d: np.ndarray) -> bool:
    """Whether wild pairs are slower more often than luck has it: a slow mode of some processes is no noise."""
    away = d - np.median(d)
    far = WILD * max(1.4826 * float(np.median(np.abs(away))), SMALLEST_SCALE)
    slow, fast = int((away > far).sum()), int((away < -far).sum())
    return slow > fast and (len(d) < FEW_FOR_WILD or float(special.bdtr(fast, slow + fast, 0.5)) <= LOPSIDED)


def answer(seen: Look, *, tolerance: float, most: float, apart: bool = True, last: bool = False) -> Status:
    """What one look says of a slowdown between `tolerance` (never fails) and `most` (never passes), as fractions.

    `apart`: every turn of the new code was slower than every turn of the old in each of these pairs; few pairs fail
    nothing without it, because a neighbour may have slowed one side of each. What seems slower, and would be a
    regression if more pairs said the same, does not pass before they have: unless this look is the `last`.
    """
    few = seen.pairs < ENOUGH
    if seen.low > math.log1p(tolerance) and (apart or not few):
        return Status.REGRESSED
    if seen.best < -math.log1p(tolerance):
        return Status.IMPROVED
    faster, slower = seen.estimate < -math.log1p(tolerance), seen.prospect > math.log1p(tolerance)
    open_yet = seen.lopsided or (few and faster) or (slower and not last)
    return Status.PASSED if seen.high < math.log1p(most) and not open_yet else Status.INCONCLUSIVE


def decide(
    differences: Sequence[float],
    *,
    tolerance: float,
    most: float,
    typical: Sequence[float] = (),
    apart: Sequence[bool] = (),
    last: bool = False,
) -> tuple[Status, Look | None]:
    """The answer of the first look that has one, and that look; else open, with everything seen (None: too little).

    `differences` are of the quiet calls, the least noisy figure, but blind to a change that leaves a quarter of the
    calls alone. So `typical`, of the same pairs by their medians, may object to a pass (see `weighed`). `apart` says of
    each pair whether all turns of the new code were slower than all of the old (see `answer`). `last`: no more pairs
    will come, and this look spends all risk that is left. Differences after a deciding look change nothing, so that a
    recorded verdict can be replayed.
    """
    count = min(len(differences), LOOKS[-1])
    if count < 2:  # noqa: PLR2004 - one difference has no spread
        return Status.INCONCLUSIVE, None
    last = last or count == LOOKS[-1]
    for stage in (*(stage for stage in STAGES if stage.pairs <= count), _rest(count)):
        seen, is_rest = look(differences[: stage.pairs], stage), stage not in STAGES
        told = all(apart[: stage.pairs])
        said = answer(seen, tolerance=tolerance, most=most, apart=told, last=is_rest)
        if typical:
            said, seen = weighed(said, seen, look(typical[: stage.pairs], stage), most=most)
        if said is not Status.INCONCLUSIVE and (last or not is_rest):
            return said, seen
    return Status.INCONCLUSIVE, seen


def _rest(count: int) -> Stage:
    """A last look after so many pairs: all that earlier ones have not spent; of few pairs no more than was planned."""
    before = [stage for stage in STAGES if stage.pairs < count]
    alpha = sum(stage.alpha for stage in STAGES if stage.pairs <= count)
    if count >= ENOUGH:
        alpha = 1 - sum(stage.alpha for stage in before)
    return Stage(count, alpha, 1 - sum(stage.beta for stage in before))


def weighed(said: Status, quiet: Look, typical: Look, *, most: float) -> tuple[Status, Look]:
    """What the quiet calls say, unless it is good news that the typical calls speak against, and the look that counts.

    Typical calls that are surely slower by more than `most` are a regression; where they merely seem to be, the next
    look decides.
    """
    typical = replace(typical, typical=True)
    if said in (Status.REGRESSED, Status.INCONCLUSIVE) or typical.estimate <= math.log1p(most):
        return said, quiet
    if typical.low > math.log1p(most) and typical.pairs >= ENOUGH:
        return Status.REGRESSED, typical
    return Status.INCONCLUSIVE, typical

"""A time against stored sessions: what passes at once, what is suspicious, what is gross (docs/statistics.md)."""

from __future__ import annotations

import math

from pytest_aiperf.judging.case import Case, slowdown, words
from pytest_aiperf.judging.statistics import History, predict
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.records import Interval, Verdict
from pytest_aiperf.vocabulary.terms import Status

SCREENED = 0.98
"""One-sided probability with which a slowdown must be below the largest allowed one to pass."""
GROSS = 0.999
"""One-sided probability with which it must be above it to be a regression."""
FEWEST_TELLING = 10
"""Occasions below which their spread may be luck."""
ROUGH_VARIANCE = 0.10**2
"""Between-session variance of a rough machine, assumed until it was seen on enough occasions.

In seeded worlds with a true spread of 10 %, the usual prior of (2 %)^2 called 3.7 % of unchanged tests regressed with
one session; with this one, 1 of 10,000 over 1 to 20 sessions, and 15 of 10,000 with a spread of 20 %.
"""
_NOTABLE_SPEED = 0.005


class Screen:
    """One session's log value held against the others; `covariate`: the machine's speed when it was timed."""

    def __init__(self, case: Case, history: History, log_value: float, covariate: float | None) -> None:
        occasions = case.history_of_occasions() or history
        rough = max(case.prior, ROUGH_VARIANCE) if occasions.count < FEWEST_TELLING else case.prior
        self.case, self.history, self.occasions, self.covariate = case, history, occasions.count, covariate
        self.tolerance, self.most = case.allowed()
        self.prediction = predict(history, log_value, covariate, prior=case.prior)
        self.cautious = predict(occasions, log_value, covariate, prior=rough)
        """The same from one value per occasion, with the spread of a rough machine where too few tell this one's."""
        self.value = case.from_worse_log(log_value)
        self.expected = case.from_worse_log(log_value - self.prediction.shift)
        """The value that the sessions, and the machine's speed of today, let expect."""

    @property
    def passes(self) -> bool:
        """Whether a slowdown of `most` is ruled out."""
        return self._negligible or self.prediction.high(SCREENED) < math.log1p(self.most)

    @property
    def improves(self) -> bool:
        """Whether it became faster by more than `tolerance`, which noise alone does not explain."""
        return not self._negligible and self.prediction.high(SCREENED) < -math.log1p(self.tolerance)

    @property
    def gross(self) -> bool:
        """Whether even the lower bound is above `most`."""
        return not self._negligible and self.cautious.low(GROSS) > math.log1p(self.most)

    @property
    def can_pass(self) -> bool:
        """Whether a value right at the expected one would pass: with few or wild sessions, none does."""
        return self.prediction.high(SCREENED) - self.prediction.shift < math.log1p(self.most)

    @property
    def visible(self) -> float:
        """The smallest slowdown that these sessions could have shown, as a fraction."""
        return math.expm1(math.log1p(self.most) + self.cautious.shift - self.cautious.low(GROSS))

    @property
    def interval(self) -> Interval:
        """The slowdown, for people."""
        return slowdown(self.prediction, SCREENED)

    @property
    def _negligible(self) -> bool:
        return abs(self.value - self.expected) < self.case.metric.negligible

    def text(self) -> str:
        """What was seen, and what could have been seen."""
        sessions = units.counted(self.history.count, "session")
        if self.occasions < self.history.count:
            sessions += f" of {units.counted(self.occasions, 'occasion')}"
        return (
            f"slower by {words(self.interval)} than in {sessions}; "
            f"a slowdown would have shown from {units.percent(self.visible)} on"
        )

    def row(self, status: Status, reason: str, message: str = "", *notes: str) -> Verdict:
        """The row of a decision that rests on this."""
        return self.case.row(
            status,
            reason,
            message=message,
            now=self.value,
            baseline=self.expected,
            worse_by=self.interval,
            limit=self.most,
            notes=(*self._speed_notes(), *notes),
            sees=self.visible,
        )

    def passed(self, *notes: str) -> Verdict:
        """The row of a screen that was passed, perhaps with something better than before."""
        if self.improves:
            return self.row(Status.IMPROVED, "faster", "", *notes)
        return self.row(Status.PASSED, "within_margin", "", *notes)

    def _speed_notes(self) -> tuple[str, ...]:
        """What the reference workload says of the machine, where it moved the expectation."""
        covariate, history = self.covariate, self.history
        if covariate is None or history.covariate_spread is None:
            return ()
        share = math.expm1(history.slope * (covariate - history.covariate_centre))
        if abs(share) < _NOTABLE_SPEED:
            return ()
        return (f"the baseline is adjusted by {units.percent(share)} for the speed of the machine today",)

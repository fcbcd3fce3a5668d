"""Which stored sessions count, and what they say together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import fmean, median

from pytest_aiperf.judging import statistics
from pytest_aiperf.vocabulary.baseline import Baseline, Session
from pytest_aiperf.vocabulary.records import Margins
from pytest_aiperf.vocabulary.terms import MOST_SESSIONS, Better, Metric, Rule

LEVEL_CHANGE = 0.10
"""Sessions that lie wholly beyond all earlier ones, by this share of the median, are a new level that was accepted."""
MEMORY_LEVEL_CHANGE = 3.0
"""The same for process memory, in largest allowed growths between the nearest sessions of both levels.

One low peak would otherwise fail the next usual one: medians 5 % apart raised three times as many false alarms.
"""
OCCASION = timedelta(hours=6)
"""Sessions that follow each other within this time saw the machine on one day, in one mood."""


def undisturbed_sessions(baseline: Baseline, metric: Metric) -> tuple[Session, ...]:
    """The last sessions of this machine class that have the metric; of times, those that nothing disturbed."""
    having = [session for session in baseline.sessions if metric.name in session.values]
    usable = [session for session in having if not (session.disturbed and metric.rule.is_timed)]
    return tuple(usable[-MOST_SESSIONS:])


def last_level(sessions: Sequence[Session], metric: Metric, margins: Margins) -> tuple[Session, ...]:
    """The sessions since the last change of level: whoever recorded on after one has accepted it."""
    kept = tuple(sessions)
    while start := _latest_change([session.values[metric.name] for session in kept], metric, margins):
        kept = kept[start:]
    return kept


def occasions(sessions: Sequence[Session]) -> list[tuple[Session, ...]]:
    """Sessions, oldest first, in groups in which each follows the one before within six hours."""
    groups: list[tuple[Session, ...]] = []
    for session in sessions:
        if groups and _moment(session) - _moment(groups[-1][-1]) <= OCCASION:
            groups[-1] = (*groups[-1], session)
        else:
            groups.append((session,))
    return groups


def history_of(
    groups: Sequence[Sequence[Session]], metric: Metric, *, with_covariate: bool
) -> statistics.History | None:
    """The mean of each group of sessions, summed up; None where no session has a value above 0."""
    positive = [[session for session in group if session.values[metric.name] > 0] for group in groups]
    kept = [group for group in positive if group]
    if not kept:
        return None
    sign = -1 if metric.better is Better.HIGHER else 1
    covariates = [[session.covariate for session in group if session.covariate is not None] for group in kept]
    known = with_covariate and [len(group) for group in covariates] == [len(group) for group in kept]
    return statistics.summarise(
        [fmean(sign * math.log(session.values[metric.name]) for session in group) for group in kept],
        [fmean(group) for group in covariates] if known else None,
    )


def _latest_change(values: Sequence[float], metric: Metric, margins: Margins) -> int:
    """Where the shortest last part begins that lies wholly and clearly above or below all before it; 0: nowhere."""
    for start in range(len(values) - 1, 0, -1):
        before, after = values[:start], values[start:]
        lower, upper = (before, after) if max(before) < min(after) else (after, before)
        if max(lower) < min(upper) and _is_another_level(lower, upper, metric, margins):
            return start
    return 0


def _is_another_level(lower: Sequence[float], upper: Sequence[float], metric: Metric, margins: Margins) -> bool:
    if metric.rule is Rule.PROCESS_MEMORY:
        low, high, share = max(lower), min(upper), MEMORY_LEVEL_CHANGE * margins.max_memory_growth
    else:
        low, high, share = median(lower), median(upper), LEVEL_CHANGE
    return high - low > max(share * low, metric.negligible)


def _moment(session: Session) -> datetime:
    return datetime.fromisoformat(session.at.removesuffix("Z"))

"""`Rule.TIME`: screened in this process, confirmed in fresh ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean, median

from pytest_aiperf.judging.case import Case, pooled
from pytest_aiperf.judging.screen import Screen
from pytest_aiperf.judging.statistics import History
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.records import Sample, Verdict
from pytest_aiperf.vocabulary.terms import Evidence, Origin, Status, Unit

FEWEST_SAMPLES = 3
"""A call that takes seconds is timed a few times only; what varies between sessions is far more than their median."""
COARSEST_CLOCK = 0.01
"""Share of a value that one tick of the clock may be."""
WITNESSES = 2
"""How many fresh processes must agree where this one was disturbed."""


def against_baseline(case: Case, history: History) -> Verdict:
    """Passed where the screen is passed here or in fresh processes; regressed where a gross slowdown shows in both."""
    if (row := _uncountable(case)) is not None:
        return row
    here_samples, fresh_samples = case.of(Origin.IN_PROCESS), case.of(Origin.FRESH)
    trusted = bool(case.calm(here_samples))
    calm_fresh = case.calm(fresh_samples)
    here = _screen_here(case, history, here_samples)
    fresh = _screen(case, history, calm_fresh) if calm_fresh else None
    seen = here or fresh or _screen(case, history, fresh_samples)
    if seen.passes and (here or fresh):
        return seen.passed()
    if fresh is not None:
        later = _screen_here(case, history, here_samples, covariate=fresh.covariate)
        return _with_fresh(fresh, here=here if trusted else None, later=later, witnesses=len(calm_fresh))
    return _without_fresh(case, seen, disturbed=not trusted)


def _with_fresh(fresh: Screen, *, here: Screen | None, later: Screen | None, witnesses: int) -> Verdict:
    """Decide what was suspicious in this process; `here` is None where it was disturbed.

    `later` is the same by the fresh process's reading of the machine: what passes by that, and in the fresh process
    too, was suspicious because clocks had fallen since the reading that it shared with other tests.
    """
    slower = units.percent(fresh.interval.mid)
    if fresh.passes:
        if here is None or not here.gross or (later is not None and later.passes):
            return fresh.passed("passed in a fresh process")
        both = f"{units.percent(here.interval.mid)} in this process, {slower} in a fresh one"
        message = f"{both}: something before this test slows it down"
        return here.row(Status.INCONCLUSIVE, "not_confirmed", message)
    if fresh.gross and here is not None and here.gross:
        return here.row(Status.REGRESSED, "slower", f"a fresh process says the same: {slower}")
    if fresh.gross and here is None:
        if witnesses >= WITNESSES:
            return fresh.row(Status.REGRESSED, "slower", f"{witnesses} fresh processes agree")
        message = "slower in a fresh process; this one was disturbed, and a second must agree"
        row = fresh.row(Status.INCONCLUSIVE, "unconfirmed", message)
        return fresh.case.unconfirmed(Evidence.FRESH_TIMING, row)
    return fresh.row(Status.INCONCLUSIVE, "within_noise", f"cannot tell from noise: {fresh.text()}")


def _without_fresh(case: Case, seen: Screen, *, disturbed: bool) -> Verdict:
    """A suspicion that no undisturbed fresh process has spoken on."""
    if not case.final and (seen.gross or seen.can_pass):
        row = seen.row(Status.INCONCLUSIVE, "unconfirmed", "suspicious; a fresh process has to say")
        return case.unconfirmed(Evidence.FRESH_TIMING, row)
    if disturbed:
        reasons = "; ".join(case.measurement.disturbances) or "other processes used the processor meanwhile"
        message = f"{units.percent(seen.interval.mid)}, which proves nothing: {reasons}"
        return seen.row(Status.INCONCLUSIVE, "disturbed", message)
    if seen.gross:
        return seen.row(Status.INCONCLUSIVE, "unconfirmed", f"no fresh process could confirm it: {seen.text()}")
    return seen.row(Status.INCONCLUSIVE, "within_noise", f"cannot tell from noise: {seen.text()}")


def _uncountable(case: Case) -> Verdict | None:
    now = case.now()
    count = len(case.values(Origin.IN_PROCESS) or case.values(Origin.FRESH))
    unknown = partial(case.row, Status.INCONCLUSIVE, now=now, baseline=case.stored())
    if count < FEWEST_SAMPLES:
        message = f"{units.counted(count, 'value')}; a median worth comparing needs {FEWEST_SAMPLES}"
        return unknown("too_few_samples", message=message)
    if case.metric.unit is Unit.SECONDS and case.timer_resolution > COARSEST_CLOCK * now:
        tick = units.text(case.timer_resolution, Unit.SECONDS)
        return unknown("timer_resolution", message=f"the clock ticks every {tick}: too coarse for this")
    return None


def _screen_here(
    case: Case, history: History, samples: tuple[Sample, ...], *, covariate: float | None = None
) -> Screen | None:
    values = pooled(case.calm(samples) or samples)
    return _screen(case, history, [replace(samples[0], values=values, covariate=covariate)]) if values else None


def _screen(case: Case, history: History, samples: Sequence[Sample]) -> Screen:
    log_value = median(case.worse_log(case.metric.middle(sample.values)) for sample in samples)
    readings = [sample.covariate for sample in samples if sample.covariate is not None]
    own = len(readings) == len(samples) and case.measurement.covariate is not None
    return Screen(case, history, log_value, fmean(readings) if own else case.measurement.covariate)

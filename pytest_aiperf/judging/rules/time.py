"""`Rule.TIME`: screened in this process, confirmed in fresh ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from pytest_aiperf.judging import time_limits
from pytest_aiperf.judging.case import Case, pooled
from pytest_aiperf.judging.screen import Screen, pass_row, screen, screened_row, speed_notes
from pytest_aiperf.judging.statistics import History
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.records import Limit, Sample, Verdict
from pytest_aiperf.vocabulary.terms import Evidence, Origin, Status, Unit

FEWEST_SAMPLES = 5
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
    notes = speed_notes(case, history)
    if seen.passes and (here or fresh):
        return pass_row(case, seen, notes=notes)
    if fresh is not None:
        return _with_fresh(case, fresh, here=here if trusted else None, witnesses=len(calm_fresh), notes=notes)
    return _without_fresh(case, seen, disturbed=not trusted, notes=notes)


def against_limit(case: Case, limit: Limit) -> Verdict:
    """A limit on the median or on another percentile."""
    return time_limits.against_time_limit(case, limit, needs=Evidence.FRESH_TIMING)


def _with_fresh(case: Case, fresh: Screen, *, here: Screen | None, witnesses: int, notes: tuple[str, ...]) -> Verdict:
    """Decide what was suspicious in this process; `here` is None where it was disturbed."""
    if fresh.passes:
        if here is None or not here.gross:
            return pass_row(case, fresh, notes=(*notes, "passed in a fresh process"))
        return screened_row(
            case,
            here,
            Status.INCONCLUSIVE,
            "not_confirmed",
            message=f"{units.percent(here.interval.mid)} in this process, {units.percent(fresh.interval.mid)} in a "
            "fresh one: something before this test slows it down",
            notes=notes,
        )
    if fresh.gross and here is not None and here.gross:
        message = f"a fresh process says the same: {units.percent(fresh.interval.mid)}"
        return screened_row(case, here, Status.REGRESSED, "slower", message=message, notes=notes)
    if fresh.gross and here is None:
        if witnesses >= WITNESSES:
            message = f"{witnesses} fresh processes agree"
            return screened_row(case, fresh, Status.REGRESSED, "slower", message=message, notes=notes)
        message = "slower in a fresh process; this one was disturbed, and a second must agree"
        row = screened_row(case, fresh, Status.INCONCLUSIVE, "unconfirmed", message=message, notes=notes)
        return case.unconfirmed(Evidence.FRESH_TIMING, row)
    message = f"cannot tell from noise: {fresh.text()}"
    return screened_row(case, fresh, Status.INCONCLUSIVE, "within_noise", message=message, notes=notes)


def _without_fresh(case: Case, seen: Screen, *, disturbed: bool, notes: tuple[str, ...]) -> Verdict:
    """A suspicion that no undisturbed fresh process has spoken on."""
    if not case.final and (seen.gross or seen.can_pass):
        message = "suspicious; a fresh process has to say"
        row = screened_row(case, seen, Status.INCONCLUSIVE, "unconfirmed", message=message, notes=notes)
        return case.unconfirmed(Evidence.FRESH_TIMING, row)
    if disturbed:
        reasons = "; ".join(case.measurement.disturbances) or "other processes used the processor meanwhile"
        message = f"{units.percent(seen.interval.mid)}, which proves nothing: {reasons}"
        return screened_row(case, seen, Status.INCONCLUSIVE, "disturbed", message=message, notes=notes)
    if seen.gross:
        message = f"no fresh process could confirm it: {seen.text()}"
        return screened_row(case, seen, Status.INCONCLUSIVE, "unconfirmed", message=message, notes=notes)
    message = f"cannot tell from noise: {seen.text()}"
    return screened_row(case, seen, Status.INCONCLUSIVE, "within_noise", message=message, notes=notes)


def _uncountable(case: Case) -> Verdict | None:
    now = case.now()
    count = len(case.values(Origin.IN_PROCESS) or case.values(Origin.FRESH))
    if count < FEWEST_SAMPLES:
        return case.row(
            Status.INCONCLUSIVE,
            "too_few_samples",
            now=now,
            baseline=case.stored(),
            message=f"{count} value{'' if count == 1 else 's'}; a median worth comparing needs {FEWEST_SAMPLES}",
        )
    if case.metric.unit is Unit.SECONDS and case.timer_resolution > COARSEST_CLOCK * now:
        return case.row(
            Status.INCONCLUSIVE,
            "timer_resolution",
            now=now,
            baseline=case.stored(),
            message=f"the clock ticks every {units.text(case.timer_resolution, Unit.SECONDS)}: too coarse for this",
        )
    return None


def _screen_here(case: Case, history: History, samples: tuple[Sample, ...]) -> Screen | None:
    values = pooled(case.calm(samples) or samples)
    return _screen(case, history, [replace(samples[0], values=values)]) if values else None


def _screen(case: Case, history: History, samples: Sequence[Sample]) -> Screen:
    log_value = median(case.worse_log(median(sample.values)) for sample in samples)
    return screen(case, history, log_value, tolerance=case.margins.tolerance, most=case.margins.max_slowdown)

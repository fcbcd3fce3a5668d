"""`Rule.LOAD_TIME`: one value per fresh process, and nothing else counts."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import numpy as np

from pytest_aiperf.judging.case import Case, pooled
from pytest_aiperf.judging.screen import Screen
from pytest_aiperf.judging.statistics import History
from pytest_aiperf.vocabulary.records import Verdict
from pytest_aiperf.vocabulary.terms import Evidence, Origin, Status

ENOUGH_PROCESSES = 5


def against_baseline(case: Case, history: History) -> Verdict:
    """Passed where the median of the fresh processes passes the screen; regressed where five show a gross slowdown."""
    fresh = case.of(Origin.FRESH)
    calm = case.calm(fresh)
    values = pooled(calm or fresh)
    if not values:
        message = "a load time counts only from fresh processes, and there was none"
        row = case.row(Status.INCONCLUSIVE, "unconfirmed", message=message, now=case.now(), baseline=case.stored())
        return case.unconfirmed(Evidence.FRESH_LOAD, row)
    log_value = median(case.worse_log(value) for value in values)
    seen = Screen(_with_spread(case, values), history, log_value, case.measurement.covariate)
    if seen.passes:
        return seen.passed()
    enough = len(pooled(calm)) >= ENOUGH_PROCESSES
    if not enough and not case.final:
        row = seen.row(Status.INCONCLUSIVE, "unconfirmed", f"suspicious after {len(values)} fresh processes")
        return case.unconfirmed(Evidence.FRESH_LOAD, row)
    if seen.gross and enough:
        return seen.row(Status.REGRESSED, "slower", f"median of {len(values)} fresh processes")
    if not calm:
        message = "proves nothing: other processes used the processor meanwhile"
        return seen.row(Status.INCONCLUSIVE, "disturbed", message)
    if seen.gross:
        message = f"only {len(values)} fresh processes, {ENOUGH_PROCESSES} have to agree"
        return seen.row(Status.INCONCLUSIVE, "too_few_processes", message)
    return seen.row(Status.INCONCLUSIVE, "within_noise", f"cannot tell from noise: {seen.text()}")


def _with_spread(case: Case, values: tuple[float, ...]) -> Case:
    """The same case, expecting that a median of so few processes varies by itself (pi/2 s2 / n)."""
    if len(values) == 1:
        return case
    spread = float(np.var([case.worse_log(value) for value in values], ddof=1))
    return replace(case, prior=case.prior + np.pi / 2 * spread / len(values))

"""From a judgement to one that nothing can improve: measure what is doubtful in fresh processes, judge again."""

from __future__ import annotations

from pytest_aiperf.measuring.metrics import latency
from pytest_aiperf.processes.fresh_figures import IN_PAIRS, FreshFigures
from pytest_aiperf.session.judgement import Judgement, wanted
from pytest_aiperf.vocabulary.records import Result
from pytest_aiperf.vocabulary.terms import Evidence


def decide(judgement: Judgement, fresh: FreshFigures) -> Result:
    """The verdicts of a test whose body has ended well; open ones want pairs, and nothing else can be measured."""
    trial = judgement.trial
    if fresh.stores:
        fresh.measure_what_is_stored(trial)
    result = judgement.result()
    for _ in range(fresh.most):
        needed = {verdict.needs for verdict in result.verdicts} - {None, *IN_PAIRS}
        if not needed or trial.failures:
            break
        with trial.context.exclusive("in a fresh process"):
            for needs in sorted(filter(None, needed), key=lambda needs: needs.value):
                fresh.fulfil(needs, trial)
        result = judgement.result()
    fresh.note_failures(trial, result.verdicts)
    return result if wanted(result, *IN_PAIRS) else conclude(judgement, fresh)


def conclude(judgement: Judgement, fresh: FreshFigures) -> Result:
    """The last word on a trial: memory that fails is traced to the lines that hold it."""
    result, trial = judgement.result(final=True), judgement.trial
    peaks = {name for name, metric in judgement.judge.metrics.items() if metric.peak}
    memory_fails = any(verdict.fails and verdict.metric in peaks for verdict in result.verdicts)
    if not memory_fails or trial.allocations or trial.failures:
        return result
    with trial.context.exclusive("who holds the memory"):
        fresh.trace(trial)
    return judgement.result(final=True)


def wants_pairs(result: Result) -> dict[str, frozenset[str]]:
    """Label -> metrics that only pairs with the reference revision can decide."""
    return wanted(result, Evidence.PAIRS)


def wants_model_pairs(result: Result) -> dict[str, frozenset[str]]:
    """Labels of comparisons that only fresh processes of both models can decide; their latency says everything."""
    return dict.fromkeys(sorted(wanted(result, Evidence.MODEL_PAIRS)), frozenset({latency.METRIC.name}))

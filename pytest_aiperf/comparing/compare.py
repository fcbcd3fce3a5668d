"""One comparison inside a trial: quality once, speed in turns, everything kept for the judge."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_aiperf.comparing import diagnosis, quality, why_slower
from pytest_aiperf.comparing.batches import batches
from pytest_aiperf.comparing.compared_model import Model
from pytest_aiperf.comparing.comparison import Comparison, variant_of
from pytest_aiperf.comparing.model_memory import working_memory
from pytest_aiperf.comparing.quality import Quality, mean
from pytest_aiperf.comparing.scoring import Question
from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.measuring.driver import Driver, without_loop
from pytest_aiperf.measuring.entry import Entry, Observed
from pytest_aiperf.measuring.metrics import accuracy, comparison, latency
from pytest_aiperf.measuring.paired_turns import answer_requests, slowed
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.vocabulary.baseline import PortableValue
from pytest_aiperf.vocabulary.messages import At
from pytest_aiperf.vocabulary.model_figures import ModelFigures
from pytest_aiperf.vocabulary.orders import Role
from pytest_aiperf.vocabulary.pairing import REFERENCE_MODEL, Arm, Block, Pairing, Speed
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Metric

MEMORY = {Arm.REFERENCE: comparison.REFERENCE_MEMORY, Arm.CANDIDATE: comparison.CANDIDATE_MEMORY}
OF_OUTPUTS = (comparison.AGREEMENT, comparison.SQNR, comparison.MAX_ABS_ERROR)


def compare(
    trial: Trial,
    reference: Any,
    candidate: Any,
    asked: Question,
    *,
    label: str | None,
    margin: float | None,
) -> Comparison:
    """Measure and keep; of a run that measures nothing, the speed of one short block. Raises UsageError."""
    quality.check(reference, candidate)
    context, order = trial.context, trial.order
    models = {
        Arm.REFERENCE: Model(reference, context.frameworks),
        Arm.CANDIDATE: Model(candidate, context.frameworks),
    }
    entry = trial.entry(label, "call", "compare")
    entry.take(Observed(reference={}, accuracy_margin=margin))
    with context.frameworks.inference():
        if order.role in (Role.TURNS, Role.WEIGH):
            entry.take(_of_one(models[order.arm], trial, asked, entry.label))
            return Comparison()
        weighs = order.role.times and bool(trial.bounds_of(entry, comparison.MEMORY_RATIO))
        if weighs and context.fresh is not None and not entry.has(comparison.CANDIDATE_MEMORY.name):
            context.fresh.weigh(trial)
        seen = quality.quality(models[Arm.REFERENCE], models[Arm.CANDIDATE], asked)
        scores = {Arm.REFERENCE: mean(seen.reference), Arm.CANDIDATE: mean(seen.candidate)}
        figures = {
            arm: model.figures(seen.first.inputs, score=scores[arm], memory=_lightest(entry, MEMORY[arm]))
            for arm, model in models.items()
        }
        entry.take(_quality_of(seen))
        entry.take(_size_of(figures))
        if weighs:
            entry.take(_memory_of(figures, trial.failures))
        speed = Speed()
        if order.role.times:
            speed = _timed(trial, entry, models, seen, figures)
        elif order.role is Role.NOTHING:
            speed = _speed_of(_turns_of_both(trial, entry, models, seen))
    for model in models.values():
        entry.take(trial.checked(model.model))
    found = _comparison(seen, figures, speed, margin=trial.margins.accuracy_margin if margin is None else margin)
    group, name = trial.variant_name(entry.label)
    variant = variant_of(found, group=group, name=name)
    entry.take(Observed(variant=variant, partial=not order.role.times))
    return found


def _of_one(model: Model, trial: Trial, asked: Question, label: str) -> Observed:
    """In a fresh process: one of the two models takes the turns that the parent calls, or is weighed."""
    order, tools, line = trial.order, trial.context.tools, trial.context.turn_line
    function = model.bind(next(batches(asked.inputs, asked.labels)).inputs)
    if order.role is Role.WEIGH:
        added = working_memory(function, tools)
        total = () if added is None else (float(added + (model.size or 0)),)
        sample = Sample(metric=MEMORY[order.arm].name, values=total, origin=order.origin)
        return Observed(samples=(sample,), partial=True)
    if order.slowdown is not None:
        function = slowed(function, order.slowdown, tools=tools, every=order.slowed_every)
    if line is not None:
        without_loop(Driver(function, tools).follow(answer_requests(tools, line, At(test=order.test, label=label))))
    return Observed(partial=True)


def _lightest(entry: Entry, metric: Metric) -> int | None:
    """Of several fresh processes: noise only adds."""
    values = [value for sample in entry.fresh if sample.metric == metric.name for value in sample.values]
    return int(min(values)) if values else None


def _timed(
    trial: Trial, entry: Entry, models: Mapping[Arm, Model], seen: Quality, figures: Mapping[Arm, ModelFigures]
) -> Speed:
    """The speed of both; and why a candidate is slower, or may fail by its answers: worse on average, or limited."""
    lost = figures[Arm.CANDIDATE].score != figures[Arm.REFERENCE].score
    if lost or any(trial.bounds_of(entry, metric) for metric in OF_OUTPUTS):
        worse = diagnosis.of_worse_answers(models, seen, figures)
        entry.take(Observed(reasons=dict.fromkeys((seen.metric.name, *(metric.name for metric in OF_OUTPUTS)), worse)))
    blocks = _turns_of_both(trial, entry, models, seen)
    speed = _speed_of(blocks)
    values = tuple(value for block in blocks for value in block.values_of(Arm.CANDIDATE, latency.METRIC.name))
    timed = (
        Sample(metric=latency.METRIC.name, values=values, origin=trial.order.origin),
        Sample(metric=comparison.SPEEDUP.name, values=(speed.speedup,)),
    )
    entry.take(Observed(samples=timed))
    if speed.speedup < max([1.0, *trial.bounds_of(entry, comparison.SPEEDUP)]):
        slower = diagnosis.of_slow_calls(models, seen, figures, blocks)
        entry.take(Observed(reasons=dict.fromkeys((latency.METRIC.name, comparison.SPEEDUP.name), slower)))
    return speed


def _turns_of_both(trial: Trial, entry: Entry, models: Mapping[Arm, Model], seen: Quality) -> tuple[Block, ...]:
    """Turns in this process; they may pass the candidate, and raise a suspicion."""
    from pytest_aiperf.comparing import in_process  # judges, with scipy: never in a fresh process

    tools, inputs = trial.context.tools, seen.first.inputs
    functions = {arm: model.bind(inputs) for arm, model in models.items()}
    with trial.context.exclusive(f"{entry.label or 'comparison'}"):
        blocks = in_process.interleaved_blocks(
            functions,
            tools,
            margins=trial.margins,
            max_seconds=trial.order.max_seconds,
            machine=MachineWatch(longest_wait=in_process.PATIENCE),
            draw=random.Random(0),  # noqa: S311 - an order of turns, not a secret
        )
        if trial.order.role is Role.NOTHING:
            return blocks
        new = quality.novel(inputs)
        times = {
            arm: in_process.remembers(functions[arm], [model.bind(one) for one in new], tools)
            for arm, model in models.items()
        }
    if (faster := times[Arm.CANDIDATE]) is not None and times[Arm.REFERENCE] is None:
        text = f"the candidate answers an input that it has seen {faster:.0f} times faster than a new one: it remembers"
        entry.take(Observed(anomalies=(text,)))
    trial.pairings[entry.label] = Pairing(against=REFERENCE_MODEL, screen=blocks)
    return blocks


def _quality_of(seen: Quality) -> Observed:
    void = quality.void(seen)
    figures = zip(OF_OUTPUTS, (mean(seen.agreement), seen.parity.sqnr_db, seen.parity.max_abs_error), strict=True)
    samples = [Sample(metric=metric.name, values=(value,), void=void) for metric, value in figures if value is not None]
    reference = {}
    if seen.candidate:
        samples.insert(0, Sample(metric=seen.metric.name, values=tuple(seen.candidate)))
        score = mean(seen.reference) or 0.0
        reference[seen.metric.name] = PortableValue(value=score, at="", commit=None, examples=tuple(seen.reference))
    return Observed(
        samples=samples,
        scores=(seen.metric,) if seen.candidate and seen.metric is not accuracy.METRIC else (),
        anomalies=tuple(f"the candidate's outputs: {one}" for one in seen.parity.mismatches),
        reference=reference,
    )


def _memory_of(figures: Mapping[Arm, ModelFigures], failures: Sequence[str]) -> Observed:
    old, new = figures[Arm.REFERENCE].memory, figures[Arm.CANDIDATE].memory
    if old and new is not None:
        return Observed(samples=(Sample(metric=comparison.MEMORY_RATIO.name, values=(new / old,)),))
    failure = next(iter(failures), "")
    notes = () if failure else ("no fresh process measured it",)
    return Observed(samples=(Sample(metric=comparison.MEMORY_RATIO.name, values=(), notes=notes, failure=failure),))


def _size_of(figures: Mapping[Arm, ModelFigures]) -> Observed:
    old, new = figures[Arm.REFERENCE], figures[Arm.CANDIDATE]
    ratio = (new.size / old.size,) if old.size and new.size is not None else ()
    told = tuple(why_slower.larger(old.weights, new.weights))
    sample = Sample(metric=comparison.SIZE_RATIO.name, values=ratio, notes=() if ratio else ("a size is unknown",))
    return Observed(
        samples=(sample,),
        reasons=dict.fromkeys((comparison.SIZE_RATIO.name, comparison.MEMORY_RATIO.name), told),
    )


def _comparison(seen: Quality, figures: Mapping[Arm, ModelFigures], speed: Speed, *, margin: float) -> Comparison:
    return Comparison(
        speed=speed,
        score=seen.metric.title,
        examples=len(seen.candidate),
        agreement=mean(seen.agreement),
        parity=seen.parity,
        reference=figures[Arm.REFERENCE],
        candidate=figures[Arm.CANDIDATE],
        needed_examples=_needed(seen, margin),
    )


def _speed_of(blocks: Sequence[Block]) -> Speed:
    from pytest_aiperf.judging.rules.speedup import speed_of  # with scipy: never in a fresh process

    return speed_of(blocks, latency.METRIC.name)


def _needed(seen: Quality, margin: float) -> int | None:
    """How many examples would show a loss of the margin; of one number each that cannot be said."""
    from pytest_aiperf.judging.statistics import needed_examples

    changes = [new - old for old, new in zip(seen.reference, seen.candidate, strict=True)]
    squares = mean([change**2 for change in changes])
    return needed_examples(squares, margin) if len(changes) > 1 and squares and margin > 0 else None

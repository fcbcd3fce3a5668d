"""One comparison inside a trial: quality once, speed in turns, everything kept for the judge."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_aiperf.comparing import diagnosis, quality, why_slower
from pytest_aiperf.comparing.batches import batches
from pytest_aiperf.comparing.compared_model import Model
from pytest_aiperf.comparing.comparison import Comparison
from pytest_aiperf.comparing.model_memory import working_memory
from pytest_aiperf.comparing.quality import Quality, mean
from pytest_aiperf.comparing.scoring import Question
from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.measuring.entry import Entry, Observed
from pytest_aiperf.measuring.metrics import accuracy, latency
from pytest_aiperf.measuring.metrics.comparison import (
    AGREEMENT,
    CANDIDATE_MEMORY,
    MAX_ABS_ERROR,
    MEMORY_RATIO,
    REFERENCE_MEMORY,
    SIZE_RATIO,
    SPEEDUP,
    SQNR,
)
from pytest_aiperf.measuring.paired_turns import PairedTurns, slowed
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.vocabulary.baseline import PortableValue
from pytest_aiperf.vocabulary.model_figures import ModelFigures, Variant
from pytest_aiperf.vocabulary.orders import Order, Role
from pytest_aiperf.vocabulary.pairing import REFERENCE_MODEL, Arm, Block, Pairing, Speed
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Metric

if TYPE_CHECKING:
    from pytest_aiperf.vocabulary.contracts import Frameworks

MEMORY = {Arm.REFERENCE: REFERENCE_MEMORY, Arm.CANDIDATE: CANDIDATE_MEMORY}


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
    models = _models(reference, candidate, trial.context.frameworks)
    entry = trial.entry(label, "call", "compare")
    context, order = trial.context, trial.order
    entry.take(Observed(reference={}, accuracy_margin=margin))
    with context.frameworks.inference():
        if order.role is Role.TURNS:
            _take_turns(trial, models[order.arm], asked, entry.label)
            trial.has_turned = True
            return Comparison()
        if order.role is Role.WEIGH:
            entry.take(_weighed(trial, models[order.arm], asked))
            trial.has_turned = True
            return Comparison()
        if context.fresh is not None and _weighs(trial, entry) and not entry.has(CANDIDATE_MEMORY.name):
            context.fresh.weigh(trial)
        seen = quality.quality(models[Arm.REFERENCE], models[Arm.CANDIDATE], asked)
        figures = quality.figures(models, seen, {arm: _lightest(entry, metric) for arm, metric in MEMORY.items()})
        variant = Variant(
            group=trial.group,
            name=trial.variant_name(entry.label),
            score=seen.metric.title,
            agreement=mean(seen.agreement),
            reference=figures[Arm.REFERENCE],
            candidate=figures[Arm.CANDIDATE],
        )
        entry.take(_quality_of(seen, variant))
        entry.take(_size_of(figures))
        if _weighs(trial, entry):
            entry.take(_memory_of(figures, trial.failures))
        if order.role.times and _is_worse(trial, entry, seen):
            worse = diagnosis.of_worse_answers(models, seen, figures)
            metrics = (seen.metric.name, AGREEMENT.name, SQNR.name, MAX_ABS_ERROR.name)
            entry.take(Observed(reasons=dict.fromkeys(metrics, worse)))
        blocks = _turns_of_both(trial, entry, models, seen) if order.role.times or order.role is Role.NOTHING else ()
        speed = _speed_of(blocks)
        if order.role.times:
            entry.take(_timing_of(blocks, speed, order))
            if _is_too_slow(trial, entry, speed.speedup):
                slower = diagnosis.of_slow_calls(models, seen, figures, blocks)
                entry.take(Observed(reasons=dict.fromkeys((latency.METRIC.name, SPEEDUP.name), slower)))
    trial.has_turned = trial.has_turned or not order.role.times
    for model in models.values():
        entry.take(trial.checked(model.model))
    return _comparison(seen, figures, speed, margin=trial.margins.accuracy_margin if margin is None else margin)


def _models(reference: Any, candidate: Any, frameworks: Frameworks) -> dict[Arm, Model]:
    quality.check(reference, candidate)
    return {Arm.REFERENCE: Model(reference, frameworks), Arm.CANDIDATE: Model(candidate, frameworks)}


def _draw() -> random.Random:
    return random.Random(0)  # noqa: S311 - an order of turns, not a secret


def _take_turns(trial: Trial, model: Model, asked: Question, label: str) -> None:
    """In a fresh process: the turns that the parent calls, of one of the two models."""
    line, tools, order = trial.context.turn_line, trial.context.tools, trial.order
    function = model.bind(next(batches(asked.inputs, asked.labels)).inputs)
    if order.slowdown is not None:
        function = slowed(function, order.slowdown, tools=tools, every=order.slowed_every)
    if line is not None:
        Driver(function, tools).run((PairedTurns(line, test=order.test, label=label, items=1),))


def _weighed(trial: Trial, model: Model, asked: Question) -> Observed:
    """In a fresh process: the memory of one of the two models."""
    function = model.bind(next(batches(asked.inputs, asked.labels)).inputs)
    added = working_memory(function, trial.context.tools)
    total = () if added is None else (float(added + (model.size or 0)),)
    metric = MEMORY[trial.order.arm].name
    return Observed(samples=(Sample(metric=metric, values=total, origin=trial.order.origin),))


def _lightest(entry: Entry, metric: Metric) -> int | None:
    """Of several fresh processes: noise only adds."""
    values = [value for sample in entry.fresh if sample.metric == metric.name for value in sample.values]
    return int(min(values)) if values else None


def _turns_of_both(trial: Trial, entry: Entry, models: Mapping[Arm, Model], seen: Quality) -> tuple[Block, ...]:
    """Turns in this process; they may pass the candidate, and raise a suspicion."""
    from pytest_aiperf.comparing.in_process import (  # judges, with scipy: never in a fresh process
        PATIENCE,
        interleaved_blocks,
        remembers,
    )

    tools, inputs = trial.context.tools, seen.first.inputs
    functions = {arm: model.bind(inputs) for arm, model in models.items()}
    with trial.context.exclusive(f"{entry.label or 'comparison'}"):
        blocks = interleaved_blocks(
            functions,
            tools,
            margins=trial.margins,
            max_seconds=trial.order.max_seconds,
            machine=MachineWatch(patience=PATIENCE),
            draw=_draw(),
        )
        if trial.order.role is Role.NOTHING:
            return blocks
        new = quality.novel(inputs)
        times = {
            arm: remembers(functions[arm], [model.bind(one) for one in new], tools) for arm, model in models.items()
        }
    if (faster := times[Arm.CANDIDATE]) is not None and times[Arm.REFERENCE] is None:
        text = f"the candidate answers an input that it has seen {faster:.0f} times faster than a new one: it remembers"
        entry.take(Observed(anomalies=(text,)))
    trial.pairings[entry.label] = Pairing(against=REFERENCE_MODEL, screen=blocks)
    return blocks


def _timing_of(blocks: Sequence[Block], speed: Speed, order: Order) -> Observed:
    values = tuple(value for block in blocks for value in block.values_of(Arm.CANDIDATE, latency.METRIC.name))
    return Observed(
        samples=(
            Sample(metric=latency.METRIC.name, values=values, origin=order.origin),
            Sample(metric=SPEEDUP.name, values=(speed.speedup,)),
        )
    )


def _is_too_slow(trial: Trial, entry: Entry, speedup: float) -> bool:
    wanted = [one.bound for one in trial.limits_of(entry) if one.metric == SPEEDUP.name]
    return speedup < max([1.0, *wanted])


def _is_worse(trial: Trial, entry: Entry, seen: Quality) -> bool:
    """Whether the quality may fail: worse on average, or limited by a marker."""
    limited = {limit.metric for limit in trial.limits_of(entry)}
    lost = (mean(seen.candidate) or 0.0) != (mean(seen.reference) or 0.0)
    return lost or bool(limited & {AGREEMENT.name, SQNR.name, MAX_ABS_ERROR.name})


def _quality_of(seen: Quality, variant: Variant) -> Observed:
    void = quality.void(seen)
    figures = (
        (AGREEMENT, mean(seen.agreement)),
        (SQNR, seen.parity.sqnr_db),
        (MAX_ABS_ERROR, seen.parity.max_abs_error),
    )
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
        variant=variant,
    )


def _memory_of(figures: Mapping[Arm, ModelFigures], failures: Sequence[str]) -> Observed:
    old, new = figures[Arm.REFERENCE].memory, figures[Arm.CANDIDATE].memory
    if old and new is not None:
        return Observed(samples=(Sample(metric=MEMORY_RATIO.name, values=(new / old,)),))
    failure = next(iter(failures), "")
    notes = () if failure else ("no fresh process measured it",)
    return Observed(samples=(Sample(metric=MEMORY_RATIO.name, values=(), notes=notes, failure=failure),))


def _weighs(trial: Trial, entry: Entry) -> bool:
    return trial.order.role.times and any(limit.metric == MEMORY_RATIO.name for limit in trial.limits_of(entry))


def _size_of(figures: Mapping[Arm, ModelFigures]) -> Observed:
    old, new = figures[Arm.REFERENCE], figures[Arm.CANDIDATE]
    ratio = (new.size / old.size,) if old.size and new.size is not None else ()
    told = tuple(why_slower.larger(old.weights, new.weights))
    return Observed(
        samples=(Sample(metric=SIZE_RATIO.name, values=ratio, notes=() if ratio else ("a size is unknown",)),),
        reasons=dict.fromkeys((SIZE_RATIO.name, MEMORY_RATIO.name), told),
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

    return speed_of(blocks, latency.METRIC.name) if blocks else Speed()


def _needed(seen: Quality, margin: float) -> int | None:
    """How many examples would show a loss of the margin; of one number each that cannot be said."""
    from pytest_aiperf.judging.statistics import needed_examples

    changes = [new - old for old, new in zip(seen.reference, seen.candidate, strict=True)]
    squares = mean([change**2 for change in changes])
    return needed_examples(squares, margin) if len(changes) > 1 and squares and margin > 0 else None

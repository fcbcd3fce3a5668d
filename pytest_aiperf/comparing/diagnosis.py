"""Asks the runtimes of both models why a candidate is worse, and has it told in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from pytest_aiperf.comparing import quality, why_slower, why_worse
from pytest_aiperf.comparing.compared_model import Model
from pytest_aiperf.comparing.quality import Quality
from pytest_aiperf.comparing.why_slower import Workload
from pytest_aiperf.machine import processor
from pytest_aiperf.measuring.metrics import latency
from pytest_aiperf.vocabulary.model_figures import ModelFigures
from pytest_aiperf.vocabulary.pairing import Arm, Block


def of_worse_answers(
    models: Mapping[Arm, Model], seen: Quality, figures: Mapping[Arm, ModelFigures]
) -> tuple[str, ...]:
    """Reasons, from weights, layers and answers; layers that cannot be compared say so, and fail nothing."""
    layers: Mapping[str, float] = {}
    unknown: tuple[str, ...] = ()
    try:
        layers = quality.layers(models[Arm.REFERENCE], models[Arm.CANDIDATE], seen.first.inputs)
    except Exception as error:  # noqa: BLE001 - of any model; a reason that is not found is told, not raised
        unknown = (f"its layers could not be compared ({type(error).__name__}: {error})",)
    found = why_worse.worse(figures[Arm.REFERENCE].weights, figures[Arm.CANDIDATE].weights, layers, seen.answers)
    return (*found, *unknown)


def of_slow_calls(
    models: Mapping[Arm, Model], seen: Quality, figures: Mapping[Arm, ModelFigures], blocks: Sequence[Block]
) -> tuple[str, ...]:
    """Reasons, from profiles of both models; one that cannot be profiled says so, and fails nothing."""
    seconds = median(value for block in blocks for value in block.values_of(Arm.CANDIDATE, latency.METRIC.name))
    unknown: tuple[str, ...] = ()
    try:
        operators = {arm: model.operators(seen.first.inputs) for arm, model in models.items()}
    except Exception as error:  # noqa: BLE001 - of any runtime; a reason that is not found is told, not raised
        unknown = (f"its operators could not be profiled ({type(error).__name__}: {error})",)
        operators = {}
    old, new = (
        Workload(
            operators=operators.get(arm),
            weights=figures[arm].weights,
            macs=figures[arm].macs,
            facts=models[arm].framework.facts(models[arm].model),
        )
        for arm in (Arm.REFERENCE, Arm.CANDIDATE)
    )
    found = why_slower.slower(old, new, candidate_seconds=seconds, processor=processor.here())
    return (*found, *unknown)

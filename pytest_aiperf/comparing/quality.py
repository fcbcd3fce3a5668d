"""`aiperf.compare`: a reference and a candidate on the same inputs, once for quality, in turns for speed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_aiperf.comparing import parity
from pytest_aiperf.comparing.batches import Batch, batches
from pytest_aiperf.comparing.compared_model import Model
from pytest_aiperf.comparing.parity import IDENTICAL_DB, Meter, Parity, Tolerances
from pytest_aiperf.comparing.scoring import Question, Scorer
from pytest_aiperf.comparing.why_worse import Answers
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.terms import Metric

NOVEL = 5
SAME_ARCHITECTURE = 0.5
"""Share of the reference's layers that a candidate has, too; a student's `head` says nothing of its teacher's."""
HALF_DB = 6.0
"""Half the amplitude."""


@dataclass(slots=True, kw_only=True)
class Quality:
    """What both models answered, over all batches."""

    first: Batch
    parity: Parity
    own: Parity
    """Of two runs of the reference on the first batch: what is not reproducible cannot be held against anybody."""
    metric: Metric
    reference: list[float] = field(default_factory=list)
    """One score per example, or one number; empty without labels."""
    candidate: list[float] = field(default_factory=list)
    agreement: list[float] = field(default_factory=list)
    """Per example; empty where no answers can be read from the outputs."""
    answers: Answers | None = None
    """Of labelled examples, where each has one whole number as its answer."""


def check(reference: Any, candidate: Any) -> None:
    """Raise UsageError where there is nothing to compare."""
    if reference is candidate:
        raise UsageError(
            "aiperf.compare: the candidate is the reference itself: was it optimised in place? Keep a copy of the "
            "original (copy.deepcopy) to compare with"
        )


def quality(reference: Model, candidate: Model, asked: Question, *, referee: bool = True) -> Quality:
    """Run both once on every batch; with a `referee`, the reference once in float64, too.

    Raises UsageError for inputs, labels, outputs or a metric that do not fit.
    """
    scorer = Scorer(asked)
    meter = Meter(tolerances=asked.tolerances)
    alike: list[float] | None = []
    every = batches(asked.inputs, asked.labels)
    first = next(every)

    def read(output: Any) -> parity.Arrays:
        return parity.arrays(asked.outputs(output) if asked.outputs else output)

    for batch in itertools.chain((first,), every):
        outputs = [model.bind(batch.inputs)() for model in (reference, candidate)]
        old, new = map(read, outputs)
        meter.add(old, new)
        answers = scorer.add(outputs, (old, new), batch.labels)
        alike = None if alike is None or answers is None else alike + parity.agreement(*answers)
        if batch is first:
            _check_names(asked.tolerances, old)
            again = Meter()
            again.add(old, read(reference.bind(batch.inputs)()))
            own = again.parity()
            exact = reference.exact(batch.inputs) if referee else None
            rounding = None if exact is None else parity.rounding(read(exact), old, new)
    old_scores, new_scores, given = scorer.scored()
    return Quality(
        first=first,
        parity=replace(meter.parity(), rounding=rounding),
        own=own,
        metric=scorer.metric,
        reference=old_scores,
        candidate=new_scores,
        agreement=alike or [],
        answers=given,
    )


def _check_names(tolerances: Tolerances, outputs: Mapping[str, Any]) -> None:
    for name in tolerances:
        if name not in outputs:
            raise UsageError(f"aiperf.compare: tolerances: no output {name!r}; there are: {', '.join(outputs)}")


def void(seen: Quality) -> str:
    """Why errors of outputs prove nothing: the reference differs from itself by half as much, or more."""
    noise_db = seen.own.sqnr_db
    if seen.own.mismatches or (noise_db < IDENTICAL_DB and noise_db < seen.parity.sqnr_db + HALF_DB):
        return f"two runs of the reference differ by up to {seen.own.max_abs_error:.3g}"
    return ""


def layers(reference: Model, candidate: Model, inputs: tuple[Any, ...]) -> dict[str, float]:
    """SQNR in dB of each layer that both models have, in the order they run; empty of different architectures."""
    old, new = (model.outputs_of_layers(inputs) for model in (reference, candidate))
    found: dict[str, float] = {}
    common = [name for name in old if name in new]
    if len(common) < SAME_ARCHITECTURE * len(old):
        return found
    for name in common:
        meter = Meter()
        meter.add(parity.arrays(old[name]), parity.arrays(new[name]))
        seen = meter.parity()
        if not seen.mismatches:
            found[name] = seen.sqnr_db
    return found


def novel(inputs: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The same values in orders that no model has seen; empty where that cannot be done."""
    every = [tuple(_rolled(value, shift) for value in inputs) for shift in range(1, NOVEL + 1)]
    return [] if any(value is None for rolled in every for value in rolled) else every


def _rolled(value: Any, shift: int) -> Any | None:
    import numpy as np

    if isinstance(value, Mapping):
        parts = {name: _rolled(part, shift) for name, part in value.items()}
        return None if any(part is None for part in parts.values()) else parts
    if isinstance(value, np.ndarray) and value.size > NOVEL:
        return np.roll(value, shift)
    if hasattr(value, "roll") and hasattr(value, "numel") and value.numel() > NOVEL:
        return value.flatten().roll(shift).reshape(value.shape)
    return None


def mean(scores: Sequence[float]) -> float | None:
    """None of nothing."""
    return math.fsum(scores) / len(scores) if scores else None

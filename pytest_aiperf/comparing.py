"""`aiperf.compare`: a reference and a candidate on the same inputs, once for quality, in turns for speed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_aiperf import discovery, parity
from pytest_aiperf.batches import Batch, batches
from pytest_aiperf.errors import UsageError
from pytest_aiperf.measure import is_asynchronous
from pytest_aiperf.metrics import accuracy
from pytest_aiperf.pairing import Side
from pytest_aiperf.parity import Meter, Parity
from pytest_aiperf.variants import ModelFigures
from pytest_aiperf.why_worse import Answers

if TYPE_CHECKING:
    import numpy as np

    from pytest_aiperf.contracts import Framework
    from pytest_aiperf.terms import Metric

NOVEL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What `aiperf.compare` was asked, beside the models."""

    inputs: Any
    labels: Any | None = None
    predict: Callable[[Any], Any] | None = None
    metric: Any | None = None
    better: str = "higher"
    outputs: Callable[[Any], Any] | None = None


class Model:
    """One of the two, with the runtime it belongs to."""

    def __init__(self, model: Any, frameworks: Sequence[Framework]) -> None:
        if is_asynchronous(model):
            raise UsageError("aiperf.compare: an async model; compare a function that runs it to its end")
        self.model = model
        self.framework = next(framework for framework in frameworks if framework.owns(model))

    def bind(self, inputs: tuple[Any, ...]) -> Callable[[], Any]:
        """One inference on inputs that are converted, moved and cast beforehand."""
        return self._bound(self.model, inputs)

    def operators(self, inputs: tuple[Any, ...]) -> Mapping[str, float] | None:
        """Seconds per call of each kind of operator; None where the runtime cannot say."""
        profiler = self._profiler()
        if profiler is None:
            return None
        found: Mapping[str, float] | None = profiler.operators(self.model, lambda twin: self._bound(twin, inputs))
        return found

    def outputs_of_layers(self, inputs: tuple[Any, ...]) -> Mapping[str, Any]:
        """Name -> output of each layer, in the order they run; empty where the runtime does not show them."""
        profiler = self._profiler()
        if not hasattr(profiler, "outputs_of_layers"):
            return {}
        found: Mapping[str, Any] = profiler.outputs_of_layers(self.model, lambda twin: self._bound(twin, inputs))
        return found

    def _bound(self, model: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
        accepted, options = self.framework.accept(model, inputs)
        return self.framework.bind(model, accepted, options)

    @property
    def size(self) -> int | None:
        """Bytes."""
        return self.framework.size(self.model)

    def figures(self, inputs: tuple[Any, ...], *, score: float | None, memory: int | None) -> ModelFigures:
        """Size, weights and work of one call, as far as the runtime says."""
        return ModelFigures(
            score=score,
            size=self.size,
            memory=memory,
            weights=self.framework.weights(self.model),
            macs=self._macs(inputs),
        )

    def _macs(self, inputs: tuple[Any, ...]) -> int | None:
        profiler = self._profiler()
        if not hasattr(profiler, "macs"):
            return None
        try:
            found: int | None = profiler.macs(self.model, lambda twin: self._bound(twin, inputs))
        except Exception:  # noqa: BLE001 - of any model; only shown, and unknown where it cannot be counted
            return None
        return found

    def _profiler(self) -> Any:
        """The member of the shelf for this runtime; None where it has none."""
        known = self.framework.name in discovery.names("profilers")
        return discovery.module("profilers", self.framework.name) if known else None


@dataclass(slots=True, kw_only=True)
class Quality:
    """What both models answered, over all batches."""

    first: Batch
    parity: Parity
    metric: Metric
    reference: list[float] = field(default_factory=list)
    """One score per example, or one number; empty without labels."""
    candidate: list[float] = field(default_factory=list)
    agreement: list[float] = field(default_factory=list)
    """Per example; empty where no answers can be read from the outputs."""
    answers: Answers | None = None
    """Of labelled examples, where each has one whole number as its answer."""
    unsteady: str = ""
    """How two runs of the reference differ, where they do."""


def inference(frameworks: Sequence[Framework]) -> ExitStack:
    """No gradients in any runtime."""
    stack = ExitStack()
    for framework in frameworks:
        stack.enter_context(framework.inference())
    return stack


def check(reference: Any, candidate: Any) -> None:
    """Raise UsageError where there is nothing to compare."""
    if reference is candidate:
        raise UsageError(
            "aiperf.compare: the candidate is the reference itself: was it optimised in place? Keep a copy of the "
            "original (copy.deepcopy) to compare with"
        )


def quality(reference: Model, candidate: Model, asked: Question) -> Quality:
    """Run both once on every batch. Raises UsageError for inputs, labels, outputs or a metric that do not fit."""
    scorer = Scorer(asked)
    meter = Meter()
    alike: list[float] | None = []
    first: Batch | None = None
    unsteady = ""
    for batch in batches(asked.inputs, asked.labels):
        outputs = [model.bind(batch.inputs)() for model in (reference, candidate)]
        old, new = (parity.arrays(asked.outputs(one) if asked.outputs else one) for one in outputs)
        meter.add(old, new)
        answers = scorer.add(outputs, (old, new), batch.labels)
        alike = None if alike is None or answers is None else alike + parity.agreement(*answers)
        if first is None:
            first = batch
            again = reference.bind(batch.inputs)()
            unsteady = _unsteady(old, parity.arrays(asked.outputs(again) if asked.outputs else again))
    if first is None:
        raise UsageError("aiperf.compare: inputs has no batches; a comparison of nothing is not a pass")
    scores = scorer.scores()
    return Quality(
        first=first,
        parity=meter.parity(),
        metric=scorer.metric,
        reference=scores[0],
        candidate=scores[1],
        agreement=alike or [],
        answers=scorer.given(),
        unsteady=unsteady,
    )


def figures(models: Mapping[Side, Model], seen: Quality, memory: Mapping[Side, int | None]) -> dict[Side, ModelFigures]:
    """Of both models; the work of one call is that of the first batch. `memory`: bytes, where they were measured."""
    scores = {Side.OLD: mean(seen.reference), Side.NEW: mean(seen.candidate)}
    return {
        side: model.figures(seen.first.inputs, score=scores[side], memory=memory.get(side))
        for side, model in models.items()
    }


def layers(reference: Model, candidate: Model, inputs: tuple[Any, ...]) -> dict[str, float]:
    """SQNR in dB of each layer that both models have, in the order they run."""
    old, new = (model.outputs_of_layers(inputs) for model in (reference, candidate))
    found = {}
    for name in (name for name in old if name in new):
        meter = Meter()
        meter.add(parity.arrays(old[name]), parity.arrays(new[name]))
        seen = meter.parity()
        if not seen.mismatches:
            found[name] = seen.sqnr_db
    return found


class Scorer:
    """Gathers answers and labels, and scores both models alike."""

    def __init__(self, asked: Question) -> None:
        self.asked = asked
        self.answers: tuple[list[Any], list[Any]] = ([], [])
        self.labels: list[Any] = []
        self.metric = accuracy.METRIC if asked.metric is None else accuracy.metric_of(_name(asked.metric), asked.better)

    def add(
        self, outputs: Sequence[Any], read: Sequence[Mapping[str, np.ndarray]], labels: Any | None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The answers of one batch; None where none can be read and none are needed."""
        import numpy as np

        predict = self.asked.predict
        try:
            answers = [
                np.asarray(predict(output)) if predict else parity.predictions(arrays)
                for output, arrays in zip(outputs, read, strict=True)
            ]
        except UsageError:
            if labels is not None:
                raise
            return None
        if labels is not None:
            right = parity.arrays(labels)["0"]
            if len(right) != len(answers[0]) or len(right) != len(answers[1]):
                raise UsageError(f"aiperf.compare: {len(answers[0])} answers for {len(right)} labels")
            self.labels.append(right)
            for kept, one in zip(self.answers, answers, strict=True):
                kept.append(one)
        return answers[0], answers[1]

    def scores(self) -> tuple[list[float], list[float]]:
        """Of both models: one per example, or one number each; empty without labels."""
        import numpy as np

        if not self.labels:
            if self.asked.metric is not None:
                raise UsageError("aiperf.compare: metric= needs labels")
            return [], []
        labels = np.concatenate(self.labels)
        return self._score(np.concatenate(self.answers[0]), labels), self._score(
            np.concatenate(self.answers[1]), labels
        )

    def given(self) -> Answers | None:
        """Labels and answers, where they are classes."""
        import numpy as np

        if not self.labels:
            return None
        every = [np.concatenate(one) for one in (self.labels, *self.answers)]
        if any(one.ndim != 1 or one.dtype.kind not in "iub" for one in every):
            return None
        labels, old, new = (one.tolist() for one in every)
        return Answers(labels=labels, reference=old, candidate=new)

    def _score(self, answers: np.ndarray, labels: np.ndarray) -> list[float]:
        metric = self.asked.metric
        if metric is None:
            return parity.agreement(answers, labels)
        if hasattr(metric, "update") and hasattr(metric, "compute"):  # torchmetrics
            import torch

            metric.reset()
            metric.update(torch.from_numpy(answers), torch.from_numpy(labels))
            scored = metric.compute()
        elif getattr(metric, "__module__", "").startswith("sklearn."):  # which wants the truth first
            scored = metric(labels, answers)
        else:
            scored = metric(answers, labels)
        return list(accuracy.sample(scored, name=self.metric.name).values)


def novel(inputs: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The same values in orders that no model has seen; empty where that cannot be done."""
    import numpy as np

    found = []
    for shift in range(1, NOVEL + 1):
        rolled = tuple(_rolled(value, shift, np) for value in inputs)
        if any(value is None for value in rolled):
            return []
        found.append(rolled)
    return found


def _rolled(value: Any, shift: int, np: Any) -> Any | None:
    if isinstance(value, Mapping):
        parts = {name: _rolled(part, shift, np) for name, part in value.items()}
        return None if any(part is None for part in parts.values()) else parts
    if isinstance(value, np.ndarray) and value.size > NOVEL:
        return np.roll(value, shift)
    if hasattr(value, "roll") and hasattr(value, "numel") and value.numel() > NOVEL:
        return value.flatten().roll(shift).reshape(value.shape)
    return None


def _unsteady(once: Mapping[str, np.ndarray], again: Mapping[str, np.ndarray]) -> str:
    meter = Meter()
    meter.add(once, again)
    seen = meter.parity()
    if seen.max_abs_error == 0 and not seen.mismatches:
        return ""
    return f"two runs of the reference differ by up to {seen.max_abs_error:.3g}"


def _name(metric: Any) -> str:
    name = getattr(metric, "__name__", type(metric).__name__)
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).strip("_<>")
    return words if words.isidentifier() and words != "lambda" else "score"


def mean(scores: Sequence[float]) -> float | None:
    """None of nothing."""
    return math.fsum(scores) / len(scores) if scores else None

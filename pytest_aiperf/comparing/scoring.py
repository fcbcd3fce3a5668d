"""What two models answered, scored alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_aiperf.comparing import parity
from pytest_aiperf.comparing.why_worse import Answers
from pytest_aiperf.measuring.metrics import accuracy
from pytest_aiperf.vocabulary.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What `aiperf.compare` was asked, beside the models."""

    inputs: Any
    labels: Any | None = None
    predict: Callable[[Any], Any] | None = None
    metric: Any | None = None
    better: str = "higher"
    outputs: Callable[[Any], Any] | None = None
    tolerances: parity.Tolerances = field(default_factory=dict)


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

    def scored(self) -> tuple[list[float], list[float], Answers | None]:
        """Scores of both models, one per example or one number each, with their answers, where these are classes."""
        import numpy as np

        if not self.labels:
            if self.asked.metric is not None:
                raise UsageError("aiperf.compare: metric= needs labels")
            return [], [], None
        labels, old, new = every = [np.concatenate(one) for one in (self.labels, *self.answers)]
        answers = None
        if all(one.ndim == 1 and one.dtype.kind in "iub" for one in every):
            answers = Answers(labels=labels.tolist(), reference=old.tolist(), candidate=new.tolist())
        return self._score(old, labels), self._score(new, labels), answers

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


def _name(metric: Any) -> str:
    name = getattr(metric, "__name__", type(metric).__name__)
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).strip("_<>")
    return words if words.isidentifier() and words != "lambda" else "score"

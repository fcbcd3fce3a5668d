"""The `aiperf` fixture of a run that does not measure: every call runs the user's function once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pytest_aiperf.comparing.comparison import Comparison
from pytest_aiperf.comparing.parity import Tolerances
from pytest_aiperf.comparing.scoring import Question
from pytest_aiperf.comparing.sensitivity import BITS, Sensitivity, sensitivity
from pytest_aiperf.measuring import concurrent as together
from pytest_aiperf.measuring.concurrent import Concurrent
from pytest_aiperf.measuring.driver import settle
from pytest_aiperf.session import bench
from pytest_aiperf.vocabulary.contracts import Framework, Tools
from pytest_aiperf.vocabulary.terms import Metric


class PassThrough:
    """Same calls and results as `bench.Bench`, without a clock."""

    def __init__(
        self,
        *,
        tools: Callable[[], Tools],
        frameworks: Callable[[], Sequence[Framework]],
        metrics: Callable[[], Mapping[str, Metric]],
    ) -> None:
        self._tools = tools
        self._frameworks = frameworks
        self._metrics = metrics

    def load(
        self,
        loader: Callable[..., Any],
        *args: Any,
        files: Iterable[Any] = (),  # noqa: ARG002 - same signature as Bench.load
        label: str | None = None,  # noqa: ARG002
        first: Callable[[Any], Any] | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> Any:
        """What the loader returns."""
        return settle(loader(*args, **kwargs))

    def infer(
        self,
        model: Any,
        *inputs: Any,
        items: int | None = None,  # noqa: ARG002
        label: str | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> Any:
        """The model's own output, without gradients."""
        framework = next(framework for framework in self._frameworks() if framework.owns(model))
        with framework.inference():
            return settle(framework.bind(model, inputs, kwargs)())

    def call(
        self,
        function: Callable[..., Any],
        *args: Any,
        items: int | None = None,  # noqa: ARG002
        label: str | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> Any:
        """The function's result."""
        return settle(function(*args, **kwargs))

    def soak(
        self,
        function: Callable[..., Any],
        *args: Any,
        calls: int = 600,  # noqa: ARG002 - same signature as Bench.soak
        label: str | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> Any:
        """The function's result, after one call."""
        return settle(function(*args, **kwargs))

    def concurrent(
        self,
        models: Mapping[str, Callable[[], Any]],
        inputs: Any,
        *,
        label: str | None = None,  # noqa: ARG002 - same signature as Bench.concurrent
    ) -> Concurrent:
        """The outputs, with no account of memory. Raises UsageError."""
        together.check(models)
        return Concurrent(together.plainly(models, inputs, self._frameworks()))

    def compare(
        self,
        reference: Any,
        candidate: Any,
        inputs: Any,
        labels: Any = None,
        *,
        predict: Callable[[Any], Any] | None = None,
        metric: Any = None,
        better: str = "higher",
        margin: float | None = None,  # noqa: ARG002 - same signature as Bench.compare
        outputs: Callable[[Any], Any] | None = None,
        tolerances: Tolerances | None = None,
        label: str | None = None,
    ) -> Any:
        """The same figures; the speed of a few calls only, with no interval."""
        from pytest_aiperf.comparing import compare as trial_compare

        asked = Question(
            inputs=inputs,
            labels=labels,
            predict=predict,
            metric=metric,
            better=better,
            outputs=outputs,
            tolerances=tolerances or {},
        )
        means = self._tools(), self._frameworks()

        def one(model: Any, label: str | None) -> Comparison:  # noqa: ARG001 - nothing is kept under it
            return trial_compare.at_a_glance(reference, model, asked, means)

        return bench.of_each(candidate, one, label=label)

    def sensitivity(
        self,
        model: Any,
        inputs: Any,
        labels: Any = None,
        *,
        optimise: Callable[[Any, str], Any] | None = None,
        bits: int = BITS,
        layers: Sequence[str] | None = None,
        predict: Callable[[Any], Any] | None = None,
        metric: Any = None,
        better: str = "higher",
        outputs: Callable[[Any], Any] | None = None,
    ) -> Sensitivity:
        """The same."""
        asked = Question(inputs=inputs, labels=labels, predict=predict, metric=metric, better=better, outputs=outputs)
        return sensitivity(model, optimise, asked, layers=layers, bits=bits, frameworks=self._frameworks())

    def score(
        self,
        scores: Any,
        *,
        name: str = "accuracy",
        better: str = "higher",
        label: str | None = None,  # noqa: ARG002
    ) -> float:
        """The mean of the scores."""
        _, sample = bench.scored(scores, name=name, better=better, known=self._metrics())
        return bench.mean(sample)

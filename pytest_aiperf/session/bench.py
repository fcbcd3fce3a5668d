"""The object behind the `aiperf` fixture."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from pytest_aiperf.comparing import compare as trial_compare
from pytest_aiperf.comparing.batches import items_of
from pytest_aiperf.comparing.comparison import Comparison
from pytest_aiperf.comparing.parity import Tolerances
from pytest_aiperf.comparing.scoring import Question
from pytest_aiperf.comparing.sensitivity import BITS, Sensitivity, sensitivity
from pytest_aiperf.measuring import concurrent as together
from pytest_aiperf.measuring import inference
from pytest_aiperf.measuring import load as loads
from pytest_aiperf.measuring import soak as soaking
from pytest_aiperf.measuring.concurrent import Concurrent
from pytest_aiperf.measuring.driver import is_asynchronous, settle
from pytest_aiperf.measuring.entry import Observed
from pytest_aiperf.measuring.metrics import accuracy, model_size
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.orders import Role


class Bench:
    """Measures what a test asks for; every call returns what the user's own function returned.

    Where nothing is measured, it runs that function once, and compares at a glance.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._measures = trial.order.role is not Role.NOTHING

    def load(
        self,
        loader: Callable[..., Any],
        *args: Any,
        files: Iterable[str | os.PathLike[str]] = (),
        label: str | None = None,
        first: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Load a model with `loader(*args, **kwargs)`; return it.

        The load is timed in fresh processes, with the page cache cold and warm, up to the end of the first inference:
        the first `infer` of the model in this test, or `first(model)`. An `async def` loader is awaited; inside a
        running event loop the result is a coroutine. `files` are the model's files; paths among the arguments are found
        without. Raises UsageError for a second load under one label, or a file that is not there.
        """
        if not self._measures:
            return settle(loader(*args, **kwargs))
        trial = self._trial
        entry = trial.entry(label, "load", "load")
        paths = loads.known_files(files, args, kwargs)
        entry.take(Observed(paths=paths, samples=model_size.samples_of(paths, parameter_bytes=None)))
        if trial.context.fresh is not None:
            trial.context.fresh.measure_loads(trial)
        asynchronous = is_asynchronous(loader)
        return loads.run(trial, entry, lambda: loader(*args, **kwargs), first, asynchronous=asynchronous)

    def infer(
        self,
        model: Any,
        *inputs: Any,
        items: int | None = None,
        label: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Measure inferences of `model` on `inputs`, without gradients; return the model's own output.

        Latency keeps every call, throughput counts `items` per call (default: the first input's leading dimension),
        peak memory is read in a pass of its own. An `async def` model is awaited; inside a running event loop the
        result is a coroutine. Raises UsageError for a second inference under one label.
        """
        trial = self._trial
        framework = trial.context.frameworks.of(model)
        if not self._measures:
            with framework.inference():
                return settle(framework.bind(model, inputs, kwargs)())
        entry = trial.entry(label, "call", "infer")
        function = framework.bind(model, inputs, kwargs)
        trial.learn(entry, model, framework)
        items = items_of(inputs) if items is None else items
        context = trial.context.frameworks.inference()
        return inference.measure(trial, entry, function, items, owner=model, context=context)

    def call(
        self,
        function: Callable[..., Any],
        *args: Any,
        items: int | None = None,
        label: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Measure calls of any function, gradients untouched; return its result.

        The same figures as `infer`; `items` per call default to 1. Raises UsageError for a second call under one label.
        """
        if not self._measures:
            return settle(function(*args, **kwargs))
        entry = self._trial.entry(label, "call", "call")
        items = 1 if items is None else items
        return inference.measure(
            self._trial, entry, lambda: function(*args, **kwargs), items, owner=function, context=nullcontext()
        )

    def soak(
        self, function: Callable[..., Any], *args: Any, calls: int = 600, label: str | None = None, **kwargs: Any
    ) -> Any:
        """Call a function again and again and watch its memory; return the last result.

        Fails where it grows by more than `max_leak_kb` (20 KiB) per call in both halves of the calls, and says what
        grew. Gradients are left as they are. Raises UsageError for a second soak under one label, or too few calls.
        """
        if not self._measures:
            return settle(function(*args, **kwargs))
        entry = self._trial.entry(label, "soak", "soak")
        return soaking.soak(self._trial, entry, lambda: function(*args, **kwargs), calls, owner=function)

    def concurrent(
        self, models: Mapping[str, Callable[[], Any]], inputs: Any, *, label: str | None = None
    ) -> Concurrent:
        """Load several models into one process and run each once; return name -> output, with what they took.

        `models`: name -> function without arguments that loads one. `inputs`: one input for all, or name -> input; a
        tuple holds positional arguments. Fresh processes measure the joint peak, that of each model alone, and the one
        with the order of loading reversed; `max_ram_mb` and `max_gpu_mb` hold the joint peak: a budget for the set.
        Raises UsageError.
        """
        entry = self._trial.entry(label, "concurrent", "concurrent")
        return together.run(self._trial, entry, models, inputs)

    def score(
        self, scores: Any, *, name: str = accuracy.METRIC.name, better: str = "higher", label: str | None = None
    ) -> float:
        """Keep a quality figure: one value per example (correct is 1, wrong is 0), or one number; return the mean.

        Raises UsageError for an empty collection, an accuracy that is no fraction, a name that cannot be stored or that
        another metric has, and a second score of one name.
        """
        reserved = () if name == accuracy.METRIC.name else self._trial.context.metrics
        metric, sample = accuracy.metric_of(name, better, reserved=reserved), accuracy.sample(scores, name=name)
        entry = self._trial.entry(label, f"score {name}", "score")
        entry.take(Observed(samples=(sample,), scores=() if metric is accuracy.METRIC else (metric,)))
        return sum(sample.values) / len(sample.values)

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
        margin: float | None = None,
        outputs: Callable[[Any], Any] | None = None,
        tolerances: Tolerances | None = None,
        label: str | None = None,
    ) -> Any:
        """Hold a candidate against its reference: speed in alternating turns, quality example by example.

        Returns a `Comparison`; of a mapping of names to candidates, `Comparisons` by these names, which are labels too.
        Fails where a candidate is slower beyond the tolerance, or loses more quality than the margin (1 point).
        `inputs`: an array, tensor or dict is one batch, a tuple its positional arguments, anything else that iterates
        is batches (of inputs and labels, without `labels`); speed is measured on the first. `predict` reads the answers
        from an output (default: the largest of the last axis); `metric(answers, labels)` gives one score per example or
        one number (default: answer == label); `outputs` picks what parity is measured on, `tolerances` what each output
        may differ: a number, or (absolute, relative to the reference). Raises UsageError.
        """
        asked = Question(
            inputs=inputs,
            labels=labels,
            predict=predict,
            metric=metric,
            better=better,
            outputs=outputs,
            tolerances=tolerances or {},
        )

        def one(model: Any, label: str | None) -> Comparison:
            return trial_compare.compare(self._trial, reference, model, asked, label=label, margin=margin)

        return of_each(candidate, one, label=label)

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
        """What each layer of a torch module costs when it alone is optimised, the most costly first.

        `optimise(copy, name)` changes a copy of the model, in place or by returning another; by default the layer's
        weights are rounded to `bits`. `layers`: names, default all that hold weights. The rest as in `compare`. Fails
        nothing, times nothing. Raises UsageError.
        """
        asked = Question(inputs=inputs, labels=labels, predict=predict, metric=metric, better=better, outputs=outputs)
        frameworks = self._trial.context.frameworks
        if self._trial.order.role.is_partial:
            return Sensitivity((), score="")  # a fresh process that only takes turns, or weighs
        return sensitivity(model, optimise, asked, layers=layers, bits=bits, frameworks=frameworks)


def of_each(candidate: Any, compare: Callable[[Any, str | None], Comparison], *, label: str | None) -> Any:
    """`compare(model, label)` of the candidate, or of each where they are a mapping of names. Raises UsageError."""
    if not isinstance(candidate, Mapping):
        return compare(candidate, label)
    from pytest_aiperf.comparing.candidates import Comparisons

    if not candidate or not all(isinstance(name, str) and name for name in candidate):
        raise UsageError("aiperf.compare: a mapping of candidates needs a name for each, and at least one")
    labels = {name: f"{label}/{name}" if label else name for name in candidate}
    return Comparisons({name: compare(model, labels[name]) for name, model in candidate.items()})

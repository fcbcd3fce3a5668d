"""The object behind the `aiperf` fixture."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from typing import Any

from pytest_aiperf import comparing, discovery, loads, trial_compare
from pytest_aiperf import files as model_files
from pytest_aiperf.batches import items_of
from pytest_aiperf.comparing import Model, Question
from pytest_aiperf.comparison import Comparison
from pytest_aiperf.contracts import Framework, Probe, Tools, Turn
from pytest_aiperf.errors import UsageError
from pytest_aiperf.measure import Driver, is_asynchronous, settle
from pytest_aiperf.metrics import accuracy, model_size, throughput
from pytest_aiperf.metrics.cpu_memory import CpuMemoryPeak
from pytest_aiperf.metrics.gpu_memory import GpuMemoryPeak
from pytest_aiperf.metrics.latency import Latency
from pytest_aiperf.metrics.load_time import Loading
from pytest_aiperf.metrics.throughput import Throughput
from pytest_aiperf.pairing import Side
from pytest_aiperf.terms import Metric
from pytest_aiperf.trial import Entry, Trial
from pytest_aiperf.turns import Turns, slowed
from pytest_aiperf.vocabulary import Sample

DISTURBED_SHARE = 0.025
"""More of the processors than this in foreign hands, and a timed pass is repeated."""
REPEATS = 2


class Bench:
    """Measures what a test asks for; every call returns what the user's own function returned."""

    def __init__(self, trial: Trial, *, load_in_fresh_processes: Callable[[], None]) -> None:
        self._trial = trial
        self._load_in_fresh_processes = load_in_fresh_processes

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
        trial = self._trial
        entry = trial.entry(label, "load", "load")
        entry.paths = loads.known_files(files, args, kwargs)
        size = model_size.sample(
            file_bytes=model_files.file_bytes(entry.paths) if entry.paths else None, parameter_bytes=None
        )
        if size is not None:
            entry.add(size)
        if trial.order.timing:
            self._load_in_fresh_processes()
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
        entry = trial.entry(label, "call", "infer")
        framework = next(framework for framework in trial.around.frameworks if framework.owns(model))
        function = framework.bind(model, inputs, kwargs)
        trial.learn(entry, model, framework)
        items = items_of(inputs) if items is None else items
        return self._measure(
            entry, function, items, asynchronous=is_asynchronous(model), owner=model, contexts=trial.around.frameworks
        )

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
        entry = self._trial.entry(label, "call", "call")
        return self._measure(
            entry,
            lambda: function(*args, **kwargs),
            1 if items is None else items,
            asynchronous=is_asynchronous(function),
            owner=function,
            contexts=(),
        )

    def score(self, scores: Any, *, name: str = "accuracy", better: str = "higher", label: str | None = None) -> float:
        """Keep a quality figure: one value per example (correct is 1, wrong is 0), or one number; return the mean.

        Raises UsageError for an empty collection, an accuracy that is no fraction, a name that cannot be stored or that
        another metric has, and a second score of one name.
        """
        metric, sample = scored(scores, name=name, better=better)
        entry = self._trial.entry(label, f"score {name}", "score")
        entry.add(sample)
        if metric is not accuracy.METRIC:
            entry.scores = (*entry.scores, metric)
        return mean(sample)

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
        label: str | None = None,
    ) -> Comparison:
        """Hold a candidate against its reference: speed in alternating turns, quality example by example.

        Fails where the candidate is slower beyond the tolerance, or loses more quality than the margin (1 point).
        `inputs`: an array, tensor or dict is one batch, a tuple its positional arguments, anything else that iterates
        is batches (of inputs and labels, without `labels`); speed is measured on the first. `predict` reads the answers
        from an output (default: the largest of the last axis); `metric(answers, labels)` gives one score per example or
        one number (default: answer == label); `outputs` picks what parity is measured on. Raises UsageError.
        """
        comparing.check(reference, candidate)
        frameworks = self._trial.around.frameworks
        models = {Side.OLD: Model(reference, frameworks), Side.NEW: Model(candidate, frameworks)}
        asked = Question(inputs=inputs, labels=labels, predict=predict, metric=metric, better=better, outputs=outputs)
        return trial_compare.compare(self._trial, models, asked, label=label, margin=margin)

    def _measure(
        self,
        entry: Entry,
        function: Callable[[], Any],
        items: int,
        *,
        asynchronous: bool,
        owner: Any,
        contexts: Sequence[Framework],
    ) -> Any:
        if items < 1:
            raise UsageError(f"items={items}: expected how many items one call processes, 1 or more")
        tools, order = self._trial.around.tools, self._trial.order
        if order.slowdown is not None:
            function = slowed(function, order.slowdown, tools=tools, every=order.slowed_every)
        driver = Driver(function, tools)
        if not asynchronous:
            with _inference(contexts):
                for probes in self._passes(entry, items, owner):
                    self._keep(entry, driver.run(probes))
            self._trial.check(entry, owner)
            return _done(driver.result)
        return settle(self._measure_async(entry, driver, items, owner, contexts))

    async def _measure_async(
        self, entry: Entry, driver: Driver, items: int, owner: Any, contexts: Sequence[Framework]
    ) -> Any:
        with _inference(contexts):
            for probes in self._passes(entry, items, owner):
                self._keep(entry, await driver.run_async(probes))
        self._trial.check(entry, owner)
        return _done(driver.result)

    def _passes(self, entry: Entry, items: int, owner: Any) -> Generator[Sequence[Probe], None, None]:
        """The passes of this process's order, timed ones inside an exclusive section, memory in passes of its own."""
        trial, order = self._trial, self._trial.order
        if (loading := trial.pending_load(owner)) is not None:
            yield (_FirstInference(loading),)
        if order.paired and trial.around.turn_line is not None:
            yield (Turns(trial.around.turn_line, test=order.test, label=entry.label, items=items),)
            return
        if order.timing:
            with trial.around.exclusive(f"{entry.label or 'latency and throughput'}"):
                entry.covariate = trial.around.reference()
                for _ in range(1 + REPEATS):
                    yield (Latency(calls=order.calls, seconds=order.seconds, max_seconds=order.max_seconds),)
                    if trial.runs_on_a_device():
                        yield (Throughput(items=items, seconds=order.seconds / 2),)
                    else:
                        self._keep(entry, (throughput.derived(entry.timed("latency"), items=items),))
                    entry.disturbances = _disturbances(entry)
                    if not entry.disturbances:
                        break
        memory: list[Probe] = []
        if order.memory and (trial.wants_ram or order.load or not order.timing):
            memory.append(CpuMemoryPeak(base=trial.around.base, origin=order.origin))
        if order.memory and trial.measures_gpu():
            memory.append(GpuMemoryPeak(origin=order.origin))
        if memory or not order.timing:
            yield memory or (_FirstInference(None),)

    def _keep(self, entry: Entry, samples: Sequence[Sample]) -> None:
        for sample in samples:
            if sample.metric in ("latency", "throughput"):
                entry.samples[sample.metric, sample.origin] = _with_origin(sample, self._trial)
            else:
                entry.add(sample)


def scored(scores: Any, *, name: str, better: str) -> tuple[Metric, Sample]:
    """What `aiperf.score` was given, measuring or not. Raises UsageError."""
    reserved = () if name == accuracy.METRIC.name else _measured_names()
    return accuracy.metric_of(name, better, reserved=reserved), accuracy.sample(scores, name=name)


def mean(sample: Sample) -> float:
    """What `aiperf.score` returns."""
    return sum(sample.values) / len(sample.values)


def _measured_names() -> frozenset[str]:
    modules = (discovery.module("metrics", name) for name in discovery.names("metrics"))
    return frozenset(metric.name for module in modules for metric in module.METRICS)


def _done(result: Any) -> Any:
    """The result of a function that has done its work. Raises UsageError for one that has only promised to."""
    if inspect.isawaitable(result):
        raise UsageError("the function returned an awaitable, which was never awaited: make it an `async def`")
    if isinstance(result, (Iterator, AsyncIterator)):
        raise UsageError(
            f"the function returned a {type(result).__name__}, which does its work only while it is read: "
            "read it inside the function, such as `lambda: list(f())`"
        )
    return result


class _FirstInference:
    """One call, before anything else; it ends the load of a model that this process loaded."""

    metrics = ()

    def __init__(self, loading: Loading | None) -> None:
        self.loading = loading

    def plan(self, tools: Tools) -> Generator[Turn, float, tuple[Sample, ...]]:  # noqa: ARG002 - the contract's
        """Yield the one turn."""
        seconds = yield Turn()
        if self.loading is not None:
            self.loading.parts["first inference"] = seconds
            self.loading.complete = True
        return ()


def _with_origin(sample: Sample, trial: Trial) -> Sample:
    if sample.origin is trial.order.origin:
        return sample
    return Sample(
        metric=sample.metric,
        values=sample.values,
        origin=trial.order.origin,
        notes=sample.notes,
        parts=sample.parts,
        foreign_share=sample.foreign_share,
    )


def _disturbances(entry: Entry) -> tuple[str, ...]:
    shares = [sample.foreign_share or 0.0 for sample in entry.samples.values()]
    worst = max(shares, default=0.0)
    if worst <= DISTURBED_SHARE:
        return ()
    return (f"other processes used {worst:.0%} of the processors while this was timed",)


def _inference(contexts: Sequence[Framework]) -> ExitStack:
    stack = ExitStack()
    stack.enter_context(nullcontext())
    for framework in contexts:
        stack.enter_context(framework.inference())
    return stack

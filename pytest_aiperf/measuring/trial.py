"""One attempt at one test: what it is asked to measure, what its process lends to it, and what its measurements saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from pytest_aiperf.machine import files as model_files
from pytest_aiperf.machine.reference_workload import ReferenceWorkload
from pytest_aiperf.measuring.entry import Entry, Observed
from pytest_aiperf.measuring.metrics import model_size
from pytest_aiperf.measuring.metrics.cpu_memory import RamWatch
from pytest_aiperf.measuring.metrics.gpu_memory import GpuWatch
from pytest_aiperf.measuring.metrics.load_time import Loading
from pytest_aiperf.measuring.watches import Watches
from pytest_aiperf.vocabulary.baseline import Allocations
from pytest_aiperf.vocabulary.contracts import Framework, Frameworks, Probes, Tools, TurnLine
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.orders import Order, Role
from pytest_aiperf.vocabulary.pairing import Pairing
from pytest_aiperf.vocabulary.records import Limit, Margins, Measurement
from pytest_aiperf.vocabulary.terms import Metric, Need, Origin, Phase


class Fresh(Protocol):
    """Fresh processes that measure something of a test while it runs; what they saw goes to its trial."""

    def measure_loads(self, trial: Trial) -> None:
        """Every load of the test, before this process runs its loader."""

    def weigh(self, trial: Trial) -> None:
        """The memory of both models of each comparison."""

    def gather(self, trial: Trial, names: tuple[str, ...]) -> None:
        """The memory of several models, alone and together."""


@dataclass(slots=True, kw_only=True)
class RunContext:
    """Of the run, of a fresh process, or of a run that measures nothing: what is left out is nothing to them."""

    tools: Tools
    frameworks: Frameworks
    metrics: Mapping[str, Metric]
    """Every known one, by name."""
    probes: Probes = lambda _: ()
    """Of other packages' metrics."""
    exclusive: Callable[[str], AbstractContextManager[object]] = nullcontext
    """Hold the machine for a timed section, which is shown as progress; a fresh process's parent holds it already."""
    reference: ReferenceWorkload | None = None
    """Gives the covariate of what is timed; None in a fresh process, whose parent keeps it."""
    fresh: Fresh | None = None
    """None where no further processes are started: in one of them, and where nothing is measured."""
    turn_line: TurnLine | None = None
    """The line to a parent that calls the turns."""
    imports: Mapping[str, float] = field(default_factory=dict)
    """Seconds that importing each runtime took, where this process measured it."""
    memory_always: bool = False
    base: int = 0
    """Bytes of this process after collection, before the first test."""


@dataclass(slots=True, kw_only=True, eq=False)
class Trial:
    """The state of one attempt; a rerun of the test gets a new one."""

    order: Order
    context: RunContext
    limits: tuple[Limit, ...] = ()
    margins: Margins
    source: str | None = None
    memory: bool = False
    """Whether a marker or an option asks for peaks of the processor's memory."""
    group: str | None = None
    """Whose table the comparisons of this test stand in; None: one for all parameters of a test."""
    entries: dict[str, Entry] = field(default_factory=dict)
    started: float = 0.0
    """When the test, then its body, started; on the run's clock."""
    failures: list[str] = field(default_factory=list)
    """Why fresh processes of this test gave nothing."""
    whole_test: Watches = field(default_factory=Watches)
    """Of the memory of the test with its fixtures; empty where no limit asks for a peak."""
    must_pair: bool = False
    """Whether pairs decide on it even where its sessions pass it."""
    allocations: Allocations = field(default_factory=Allocations)
    """What a fresh process traced."""
    pairings: dict[str, Pairing] = field(default_factory=dict)
    """Label -> what pairs with the reference revision saw."""

    @property
    def wants_ram(self) -> bool:
        """Whether peaks of the processor's memory are asked for."""
        return self.memory or self._needs(Need.RAM)

    @property
    def wants_gpu(self) -> bool:
        """Whether GPU memory is asked for."""
        return self._needs(Need.GPU)

    def _needs(self, need: Need) -> bool:
        return any(metric.needs is need for metric in limited(self.limits, self.context.metrics))

    @property
    def is_partial(self) -> bool:
        """Whether a measurement of this process has no figures for the rest of the test."""
        return any(entry.seen.partial for entry in self.entries.values())

    def bounds_of(self, entry: Entry, metric: Metric) -> list[float]:
        """Of the limits that hold a metric of one label."""
        held = [limit for limit in self.limits if limit.label in (None, entry.label)]
        return [limit.bound for limit in held if limit.metric == metric.name]

    def entry(self, label: str | None, kind: str, call: str) -> Entry:
        """The entry of a label, for one more measurement of `kind`. Raises UsageError for a second one."""
        name = label or ""
        if self.order.role is Role.NOTHING:
            return Entry(label=name)
        entry = self.entries.setdefault(name, Entry(label=name))
        if kind in entry.kinds:
            which = f"label {name!r} is used twice" if name else "a second one needs a label"
            raise UsageError(f"aiperf.{call} in {self.order.test}: {which}: give each measurement its own label=")
        entry.kinds.add(kind)
        return entry

    def variant_name(self, label: str) -> tuple[str, str]:
        """The group of a candidate, and its name in it: its test's parameters, its label, else the test's name."""
        test, _, parameters = self.order.test.partition("[")
        name = "/".join(filter(None, (parameters.removesuffix("]"), label))) or test.rpartition("::")[2]
        return self.group or test, name

    def checked(self, function: Any) -> Observed:
        """Once it has run: whether a model runs as it was asked to; some runtimes fall back during a call.

        `function` is the model, or a bound method of one such as `session.run`.
        """
        model = getattr(function, "__self__", function)
        anomaly = self.context.frameworks.of(model).anomaly(model)
        return Observed(anomalies=(anomaly,) if anomaly else ())

    def learn(self, entry: Entry, model: Any, framework: Framework) -> None:
        """Note what the runtime says of the model: its facts, size and files."""
        paths = entry.seen.paths or framework.files(model)
        size = model_size.samples_of(paths, parameter_bytes=framework.size(model))
        known = entry.has(model_size.METRIC.name)
        entry.take(Observed(samples=() if known else size, paths=paths, facts=framework.facts(model)))

    def note_exhaustion(self, told: str) -> None:
        """The last measurement ended for want of memory."""
        last = next(reversed(self.entries.values()), None) or self.entries.setdefault("", Entry(label=""))
        last.take(Observed(out_of_memory=told))

    def measures_gpu(self) -> bool:
        """Whether GPU memory is asked for, or a device runs anyway."""
        return self.wants_gpu or self.runs_on_a_device()

    def watches(self, phase: Phase | None, *, ram: bool, gpu: bool) -> Watches:
        """Of memory, around a phase of the test; None: around all of it. Not started yet.

        The processor's comes last: asking a driver takes memory, too.
        """
        tools, origin = self.context.tools, self.order.origin
        of_gpu = [GpuWatch(tools.devices, origin=origin, phase=phase)] if gpu else []
        of_ram = [RamWatch(tools.memory, base=self.context.base, origin=origin, phase=phase)] if ram else []
        return Watches((*of_gpu, *of_ram))

    def watch_whole_test(self) -> None:
        """From now on, where a limit holds a peak and nobody watches yet."""
        if not self.whole_test and any(metric.peak for metric in limited(self.limits, self.context.metrics)):
            self.whole_test = self.watches(None, ram=self.wants_ram, gpu=self.wants_gpu).start()

    def cover_whole_test(self) -> None:
        """Limits on memory that no measurement of the test covers speak of the whole test, its fixtures included."""
        for sample in self.whole_test.samples():
            if not any(entry.has(sample.metric) for entry in self.entries.values()):
                self.entries.setdefault("", Entry(label="")).take(Observed(samples=(sample,)))

    def runs_on_a_device(self) -> bool:
        """Whether this process has started a device, which may queue calls behind the processor's back."""
        return bool(self.context.tools.devices.started())

    def pending_load(self, model: Any) -> Loading | None:
        """The measured load whose model has not answered yet, where `model` is that one."""
        loads = (entry.loading for entry in self.entries.values())
        return next((one for one in loads if one is not None and one.model is model and not one.complete), None)

    def settle_loads(self) -> None:
        """Turn the loads of this process into samples; called when the test body has ended."""
        for entry in self.entries.values():
            if entry.loading is not None:
                entry.take(Observed(samples=(entry.loading.sample(imports=self.context.imports),)))

    def take_fresh(self, measurements: Iterable[Measurement], *, covariate: float | None = None) -> None:
        """Add what a fresh process saw, and how fast the machine was right before, where that was read."""
        for measurement in measurements:
            entry = self.entries.setdefault(measurement.label, Entry(label=measurement.label))
            fresh = (sample for sample in measurement.samples if sample.origin is Origin.FRESH)
            entry.fresh.extend(replace(sample, covariate=covariate) for sample in fresh)

    def has_peak(self, entry: Entry) -> bool:
        """Whether a label has a peak of memory, of any kind."""
        return any(entry.has(name) for name, metric in self.context.metrics.items() if metric.peak)

    def hash_files(self) -> dict[Path, str]:
        """What is in the models' files by now. Raises OSError."""
        files = {path for entry in self.entries.values() for path in entry.seen.paths if path.is_file()}
        return {path: model_files.content_hash(path) for path in files}

    def measurements(self, *, taken_at: str, commit: str | None, hashes: Mapping[Path, str]) -> tuple[Measurement, ...]:
        """Everything seen, one record per label; `hashes` of model files, as far as they are known."""
        return tuple(
            Measurement(
                test=self.order.test,
                label=entry.label,
                samples=(*entry.samples.values(), *entry.fresh),
                taken_at=taken_at,
                commit=commit,
                source=self.source,
                files={path.name: hashes[path] for path in entry.seen.paths if path in hashes},
                allocations=self.allocations if self.has_peak(entry) else Allocations(),
                pairing=self.pairings.get(entry.label),
                **entry.seen.told(),
            )
            for entry in self.entries.values()
        )


def limited(limits: Iterable[Limit], known: Mapping[str, Metric]) -> list[Metric]:
    """The known metrics that some limits hold."""
    return [known[limit.metric] for limit in limits if limit.metric in known]

"""One attempt at one test: what it is asked to measure, and what its measurements saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_aiperf.machine import files as model_files
from pytest_aiperf.measuring.metrics import model_size
from pytest_aiperf.measuring.metrics.cpu_memory import RamWatch
from pytest_aiperf.measuring.metrics.gpu_memory import GpuWatch
from pytest_aiperf.measuring.metrics.load_time import Loading
from pytest_aiperf.vocabulary.contracts import Framework
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.model_figures import Variant
from pytest_aiperf.vocabulary.orders import Order, Role
from pytest_aiperf.vocabulary.pairing import Pairing
from pytest_aiperf.vocabulary.records import Allocations, Limit, Margins, Measurement, PortableValue, Sample
from pytest_aiperf.vocabulary.terms import HELD_BEFORE, MEMORY_METRICS, Metric, Origin, Phase

if TYPE_CHECKING:
    from pytest_aiperf.measuring.run_context import RunContext

Watch = RamWatch | GpuWatch


@dataclass(slots=True, kw_only=True)
class Entry:
    """What one label has gathered so far."""

    label: str
    kinds: set[str] = field(default_factory=set)
    samples: dict[tuple[str, Origin], Sample] = field(default_factory=dict)
    fresh: list[Sample] = field(default_factory=list)
    """Samples that came from fresh processes."""
    paths: tuple[Path, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    anomalies: tuple[str, ...] = ()
    out_of_memory: str | None = None
    disturbances: tuple[str, ...] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)
    scores: tuple[Metric, ...] = ()
    covariate: float | None = None
    reference: dict[str, PortableValue] | None = None
    """Of a comparison: what the reference model gave."""
    accuracy_margin: float | None = None
    reasons: dict[str, tuple[str, ...]] = field(default_factory=dict)
    breakdown: dict[str, tuple[str, ...]] = field(default_factory=dict)
    variant: Variant | None = None

    def add(self, sample: Sample) -> None:
        """Keep a sample; of two peaks in one process the higher one counts, and what it is made of stays known."""
        key = (sample.metric, sample.origin)
        known = self.samples.get(key)
        if known is None:
            self.samples[key] = sample
            return
        lower, higher = (sample, known) if sum(known.values) > sum(sample.values) else (known, sample)
        first = {name: known.parts[name] for name in (HELD_BEFORE,) if name in known.parts}
        self.samples[key] = replace(higher, parts={**lower.parts, **higher.parts, **first})

    def timed(self, metric: str) -> Sample:
        """The last sample that this process timed. Raises KeyError where there is none."""
        return self.samples[metric, Origin.IN_PROCESS]

    def has(self, metric: str) -> bool:
        """Whether any process took a sample of `metric`."""
        return any(sample.metric == metric for sample in (*self.samples.values(), *self.fresh))


class Trial:
    """The state of one attempt; a rerun of the test gets a new one."""

    def __init__(
        self,
        *,
        order: Order,
        context: RunContext,
        limits: Sequence[Limit],
        margins: Margins,
        source: str | None,
        wants_ram: bool,
        group: str | None = None,
    ) -> None:
        self.order = order
        self.context = context
        self.source = source
        self.wants_ram = wants_ram
        self.wants_gpu = False
        self.group = group or order.test.partition("[")[0]
        """Whose table the comparisons of this test stand in: by default, one for all parameters of a test."""
        self.hold_to(limits, margins)
        self.entries: dict[str, Entry] = {}
        self.loadings: list[tuple[str, Loading]] = []
        self.started = 0.0
        """When the test, then its body, started; on the run's clock."""
        self.failures: list[str] = []
        """Why fresh processes of this test gave nothing."""
        self.must_pair = False
        """Whether pairs decide on it even where its sessions pass it."""
        self.has_turned = False
        """In a fresh process: a comparison has given its turns, and has no figures for the rest of the test."""
        self.allocations = Allocations()
        """What a fresh process traced."""
        self.pairings: dict[str, Pairing] = {}
        """Label -> what pairs with the reference revision saw."""

    def hold_to(self, limits: Sequence[Limit], margins: Margins) -> None:
        """What the test must keep; asked again once its fixtures have run."""
        self.limits = tuple(limits)
        self.margins = margins
        limited = {limit.metric for limit in limits}
        self.wants_ram = self.wants_ram or "ram" in limited
        self.wants_gpu = self.wants_gpu or any(name.startswith("gpu_") for name in limited)

    def limits_of(self, entry: Entry) -> list[Limit]:
        """Those that hold for one label."""
        return [limit for limit in self.limits if limit.label in (None, entry.label)]

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

    def variant_name(self, label: str) -> str:
        """What a candidate of this test is called among others: its parameters, its label, else the test's name."""
        test, _, parameters = self.order.test.partition("[")
        return "/".join(filter(None, (parameters.removesuffix("]"), label))) or test.rpartition("::")[2]

    def check(self, entry: Entry, function: Any) -> None:
        """Note, once it has run, whether a model runs as it was asked to: some runtimes fall back during a call.

        `function` is the model, or a bound method of one such as `session.run`.
        """
        model = getattr(function, "__self__", function)
        if anomaly := self.context.frameworks.of(model).anomaly(model):
            entry.anomalies = (*entry.anomalies, anomaly)

    def learn(self, entry: Entry, model: Any, framework: Framework) -> None:
        """Note what the runtime says of the model: its facts, size and files."""
        entry.facts.update(framework.facts(model))
        entry.paths = entry.paths or framework.files(model)
        if not entry.has(model_size.METRIC.name):
            size = model_size.sample(
                file_bytes=model_files.file_bytes(entry.paths) if entry.paths else None,
                parameter_bytes=framework.size(model),
            )
            if size is not None:
                entry.add(size)

    def note_exhaustion(self, told: str) -> None:
        """The last measurement ended for want of memory."""
        last = next(reversed(self.entries.values()), None) or self.entries.setdefault("", Entry(label=""))
        last.out_of_memory = told

    def measures_gpu(self) -> bool:
        """Whether GPU memory is asked for, or a device runs anyway."""
        return self.wants_gpu or self.runs_on_a_device()

    def watches(self, phase: Phase | None, *, ram: bool, gpu: bool) -> list[Watch]:
        """Of memory, around a phase of the test; None: around all of it. Not started yet.

        The processor's comes last: asking a driver takes memory, too.
        """
        tools, origin = self.context.tools, self.order.origin
        of_gpu = [GpuWatch(tools.devices, origin=origin, phase=phase)] if gpu else []
        of_ram = [RamWatch(tools.memory, base=self.context.base, origin=origin, phase=phase)] if ram else []
        return [*of_gpu, *of_ram]

    def runs_on_a_device(self) -> bool:
        """Whether this process has started a device, which may queue calls behind the processor's back."""
        return bool(self.context.tools.devices.started())

    def pending_load(self, model: Any) -> Loading | None:
        """The measured load whose model has not answered yet, where `model` is that one."""
        for _, loading in self.loadings:
            if loading.model is model and not loading.complete:
                return loading
        return None

    def settle_loads(self) -> None:
        """Turn the loads of this process into samples; called when the test body has ended."""
        for label, loading in self.loadings:
            self.entries[label].add(loading.sample(imports=self.context.imports))

    def take_fresh(self, measurements: Iterable[Measurement]) -> None:
        """Add what a fresh process saw."""
        for measurement in measurements:
            entry = self.entries.setdefault(measurement.label, Entry(label=measurement.label))
            entry.fresh.extend(sample for sample in measurement.samples if sample.origin is Origin.FRESH)

    def measurements(self, *, taken_at: str, commit: str | None) -> tuple[Measurement, ...]:
        """Everything seen, one record per label."""
        return tuple(
            Measurement(
                test=self.order.test,
                label=entry.label,
                samples=(*entry.samples.values(), *entry.fresh),
                taken_at=taken_at,
                commit=commit,
                source=self.source,
                files={path.name: model_files.content_hash(path) for path in entry.paths if path.is_file()},
                facts=entry.facts,
                covariate=entry.covariate,
                disturbances=entry.disturbances,
                conditions=entry.conditions,
                allocations=self.allocations if _has_memory(entry) else Allocations(),
                anomalies=entry.anomalies,
                out_of_memory=entry.out_of_memory,
                scores=entry.scores,
                pairing=self.pairings.get(entry.label),
                reference=entry.reference,
                accuracy_margin=entry.accuracy_margin,
                reasons=entry.reasons,
                breakdown=entry.breakdown,
                variant=entry.variant,
            )
            for entry in self.entries.values()
        )


def _has_memory(entry: Entry) -> bool:
    return any(entry.has(metric) for metric in MEMORY_METRICS)

"""What fresh processes measure of one test, round after round: loads, peaks, single models, allocations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING

from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.vocabulary.orders import Order, Role
from pytest_aiperf.vocabulary.pairing import Arm
from pytest_aiperf.vocabulary.records import Sample, Verdict
from pytest_aiperf.vocabulary.terms import Cache, Evidence, Metric, Need, Origin, Rule

if TYPE_CHECKING:
    from pytest_aiperf.processes.child import Report

FIRST_LOADS = 3
"""Fresh processes of a plain run before the first look at a load time; a stored session takes all of them."""
WEIGHINGS = 2
"""Fresh processes for each model of a comparison; the lighter one counts."""
FIRST_MEMORIES = 3
IN_PAIRS = frozenset({Evidence.PAIRS, Evidence.MODEL_PAIRS})


@dataclass(frozen=True, slots=True)
class FreshFigures:
    """Orders children, and gives what they saw to the trial; `most` of them for one figure."""

    run_fresh: Callable[[Order], Report]
    _: KW_ONLY
    most: int
    stores: bool
    """Whether what is measured becomes a baseline: then everything that one may keep is measured."""

    def measure_loads(self, trial: Trial) -> None:
        """The first fresh loads; once per trial, they measure every load and peak of the test."""
        caches = _unmeasured_caches(trial)
        if not caches:
            return
        with trial.context.exclusive("load time"):
            for _ in range(self.most if self.stores else min(FIRST_LOADS, self.most)):
                self._load_round(trial, caches)

    def weigh(self, trial: Trial) -> None:
        """The memory of both models of each comparison, by fresh processes in turn."""
        with trial.context.exclusive("memory of both models"):
            for arm in list(Arm) * WEIGHINGS:
                self._hear(trial, replace(trial.order, role=Role.WEIGH, arm=arm), ())

    def gather(self, trial: Trial, names: tuple[str, ...]) -> None:
        """The memory of several models: of each alone, of all of them, and loaded the other way round."""
        reverse = (names[::-1],) if len(names) > 1 else ()
        with trial.context.exclusive("memory of several models"):
            ram = _names(trial, lambda one: one.needs is Need.RAM)
            for members in (*((name,) for name in names), *reverse):
                order = replace(trial.order, role=Role.MEMBERS, members=members)
                self._hear(trial, order, ram, kind="concurrent")
            self._hear(trial, replace(trial.order, role=Role.MEMORY), ram, kind="concurrent")

    def fulfil(self, needs: Evidence, trial: Trial) -> None:
        """One more child, of the kind that a verdict wants."""
        if needs is Evidence.FRESH_LOAD:
            self._load_round(trial, _caches(trial))
        elif needs is Evidence.FRESH_MEMORY:
            self._hear(trial, _memory_order(trial), ())
        else:
            reference = trial.context.reference
            covariate = None if reference is None else reference.calm_reading()  # a stale one would confirm it, too
            calls, seconds = trial.order.calls * 2, trial.order.seconds * 2
            order = replace(trial.order, role=Role.TIME, calls=calls, seconds=seconds)
            self._hear(trial, order, (), covariate=covariate)

    def _load_round(self, trial: Trial, caches: Sequence[Cache]) -> None:
        for cache in caches:
            order = replace(trial.order, role=Role.MEMORY, load=cache)
            self._hear(trial, order, _loads(trial, cache))

    def measure_what_is_stored(self, trial: Trial) -> None:
        """Peaks that a baseline may keep come from fresh processes only."""
        samples = [sample for entry in trial.entries.values() for sample in (*entry.samples.values(), *entry.fresh)]
        peaks = {sample.metric for sample in samples if sample.values} & set(_names(trial, lambda one: one.peak))
        if not peaks:
            return
        already = min(_count_fresh(trial, metric) for metric in peaks)
        with trial.context.exclusive("peak memory"):
            for _ in range(FIRST_MEMORIES - already):
                self._hear(trial, _memory_order(trial), ())
            if not trial.failures:
                self.trace(trial)

    def trace(self, trial: Trial) -> None:
        """One child that traces allocations; its figures are too large and its failure says nothing of the test."""
        for measurement in self.run_fresh(replace(_memory_order(trial), role=Role.TRACE)).measurements:
            trial.allocations = measurement.allocations or trial.allocations

    def _hear(
        self, trial: Trial, order: Order, expected: Sequence[str], *, kind: str = "load", covariate: float | None = None
    ) -> None:
        """Run one child; its failure is the last: what kills or hangs one would do so to the next.

        Without it, the `expected` metrics of measurements of that `kind` say why they are missing.
        """
        if trial.failures:
            return
        report = self.run_fresh(order)
        trial.take_fresh(report.measurements, covariate=covariate)
        if report.failure is None:
            return
        trial.failures.append(report.failure)
        for entry in trial.entries.values():
            for metric in expected if kind in entry.kinds else ():
                entry.fresh.append(_failed(metric, report.failure))

    def note_failures(self, trial: Trial, verdicts: Sequence[Verdict]) -> None:
        """Figures that only a failed child could have given say so."""
        for failure in trial.failures:
            for verdict in verdicts:
                if verdict.needs is not None and verdict.needs not in IN_PAIRS:
                    trial.entries[verdict.label].fresh.append(_failed(verdict.metric, failure))


def _memory_order(trial: Trial) -> Order:
    """Everything but timings; a load counts with the peak."""
    loads = any("load" in entry.kinds for entry in trial.entries.values())
    return replace(trial.order, role=Role.MEMORY, load=Cache.WARM if loads else None)


def _failed(metric: str, failure: str) -> Sample:
    return Sample(metric=metric, values=(), origin=Origin.FRESH, failure=failure)


def _caches(trial: Trial) -> tuple[Cache, ...]:
    """A load is cold only where its files are known, so that they can leave the page cache."""
    return tuple(Cache) if any(entry.seen.paths for entry in trial.entries.values()) else (Cache.WARM,)


def _unmeasured_caches(trial: Trial) -> list[Cache]:
    """Those that no fresh process has loaded with yet; the files of a second load may make the cold one possible."""
    fresh = {sample.metric for entry in trial.entries.values() for sample in entry.fresh}
    return [cache for cache in _caches(trial) if not fresh.intersection(_loads(trial, cache))]


def _loads(trial: Trial, cache: Cache) -> tuple[str, ...]:
    """The metrics of a load that finds its files so."""
    return _names(trial, lambda one: one.rule is Rule.LOAD_TIME and one.cache is cache)


def _names(trial: Trial, chosen: Callable[[Metric], bool]) -> tuple[str, ...]:
    return tuple(name for name, metric in trial.context.metrics.items() if chosen(metric))


def _count_fresh(trial: Trial, metric: str) -> int:
    counts = [
        sum(len(sample.values) for sample in entry.fresh if sample.metric == metric)
        for entry in trial.entries.values()
        if entry.has(metric)
    ]
    return min(counts, default=0)

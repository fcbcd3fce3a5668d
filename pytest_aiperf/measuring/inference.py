"""One call of `infer` or `call`: the passes that it is made of, and what they keep."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from statistics import median
from typing import Any

from pytest_aiperf.judging.summary import busy_share
from pytest_aiperf.measuring.driver import Driver, settle
from pytest_aiperf.measuring.metrics import device_time, energy, throughput
from pytest_aiperf.measuring.metrics.cpu_memory import CpuMemoryPeak
from pytest_aiperf.measuring.metrics.device_time import DeviceTime
from pytest_aiperf.measuring.metrics.energy import Energy
from pytest_aiperf.measuring.metrics.gpu_memory import GpuMemoryPeak
from pytest_aiperf.measuring.metrics.latency import Latency
from pytest_aiperf.measuring.metrics.load_time import Loading
from pytest_aiperf.measuring.metrics.throughput import Throughput
from pytest_aiperf.measuring.paired_turns import PairedTurns, slowed
from pytest_aiperf.measuring.trial import Entry, Trial, Watch
from pytest_aiperf.vocabulary.contracts import Probe, TimedCalls, Tools
from pytest_aiperf.vocabulary.devices import DevicesSeen
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.orders import Role
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import DISTURBED_SHARE, Origin, Phase

REPEATS = 2
"""Passes more, where others disturbed one."""
HOST_BOUND = 0.5
"""Busy for less than this share of each call, a device waits for the host."""
UNSEEN = 0.02
"""So little of a plain function's call is work that events do not see, on another runtime's stream."""
_OF_THE_LAST_PASS = frozenset({"latency", "throughput", "clock_mhz", "watts"})
"""What a repeated pass replaces; of all others the higher one counts."""
_NOTHING_SEEN = DevicesSeen(facts={}, disturbances=())


class Inference:
    """Measures functions for one trial."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def measure(
        self,
        entry: Entry,
        function: Callable[[], Any],
        items: int,
        *,
        asynchronous: bool,
        owner: Any,
        context: AbstractContextManager[object],
    ) -> Any:
        """Run every pass that the trial's order asks for; return what the function returned. Raises UsageError."""
        if items < 1:
            raise UsageError(f"items={items}: expected how many items one call processes, 1 or more")
        tools, order = self._trial.context.tools, self._trial.order
        if order.slowdown is not None:
            function = slowed(function, order.slowdown, tools=tools, every=order.slowed_every)
        driver = Driver(function, tools)
        if not asynchronous:
            with context:
                for probes in self._passes(entry, items, owner):
                    self._keep(entry, driver.run(probes))
            self._trial.check(entry, owner)
            return _done(driver.result)
        return settle(self._measure_async(entry, driver, items, owner, context))

    async def _measure_async(
        self, entry: Entry, driver: Driver, items: int, owner: Any, context: AbstractContextManager[object]
    ) -> Any:
        with context:
            for probes in self._passes(entry, items, owner):
                self._keep(entry, await driver.run_async(probes))
        self._trial.check(entry, owner)
        return _done(driver.result)

    def _passes(self, entry: Entry, items: int, owner: Any) -> Generator[Sequence[Probe], None, None]:
        """The passes of this process's order, timed ones inside an exclusive section, memory in passes of its own."""
        trial, order = self._trial, self._trial.order
        if order.role is Role.TURNS and trial.context.turn_line is not None:
            line = trial.context.turn_line
            yield (PairedTurns(line, test=order.test, label=entry.label, items=items, flush=order.flush),)
            return
        ram = order.role.reads_memory and (trial.wants_ram or not order.role.times)
        gpu = order.role.reads_memory and trial.measures_gpu()
        loading = trial.pending_load(owner)
        if loading is not None or not order.role.times:
            watches = [] if order.role.times else trial.watches(Phase.FIRST, ram=ram, gpu=gpu)
            yield (_FirstInference(loading, watches),)
        if order.role.times:
            with trial.context.exclusive(f"{entry.label or 'latency and throughput'}"):
                yield from self._timed(entry, items, owner)
        memory: list[Probe] = []
        if ram:
            memory.append(CpuMemoryPeak(base=trial.context.base, origin=order.origin))
        if order.role.reads_memory and trial.measures_gpu():  # the first call may have started a device
            memory.append(GpuMemoryPeak(origin=order.origin))
        if memory:
            yield memory

    def _timed(self, entry: Entry, items: int, owner: Any) -> Generator[Sequence[Probe], None, None]:
        """Latency and throughput, again where others disturbed them; on a device its own time and energy."""
        trial, order, reference = self._trial, self._trial.order, self._trial.context.reference
        for _ in range(1 + REPEATS):
            entry.covariate = None if reference is None else reference.log_seconds()
            yield (Latency(calls=order.calls, seconds=order.seconds, max_seconds=order.max_seconds, flush=order.flush),)
            if trial.runs_on_a_device():
                yield (Throughput(items=items, seconds=order.seconds / 2),)
            else:
                self._keep(entry, (throughput.derived(entry.timed("latency"), items=items),))
            seen = trial.context.tools.conditions.seen() if trial.runs_on_a_device() else _NOTHING_SEEN
            entry.conditions = seen.facts
            self._keep(entry, energy.samples_of(seen))
            entry.disturbances = (*_disturbances(entry), *seen.disturbances)
            if not entry.disturbances:
                break
            if reference is not None:
                reference.doubt()
        if trial.runs_on_a_device():
            yield (Energy(seconds=order.seconds),)
            yield from self._on_the_device(entry, owner)

    def _on_the_device(self, entry: Entry, owner: Any) -> Generator[Sequence[Probe], None, None]:
        """The device's own time. Only torch's streams have its events: other runtimes queue on streams of their own."""
        with_events = self._trial.context.frameworks.of(owner).uses_torch_streams
        if with_events is False:
            return
        latencies = entry.timed("latency").values
        yield (DeviceTime(latency=median(latencies), flush=self._trial.order.flush),)
        times = entry.samples.get(("device_time", Origin.IN_PROCESS))
        share = busy_share(latencies, times.values) if times is not None else None
        if share is not None and share < HOST_BOUND and (with_events or share > UNSEEN):
            entry.reasons |= {"latency": (device_time.host_bound(share),)}

    def _keep(self, entry: Entry, samples: Sequence[Sample]) -> None:
        for sample in samples:
            if sample.metric in _OF_THE_LAST_PASS:
                entry.samples[sample.metric, sample.origin] = _with_origin(sample, self._trial)
            else:
                entry.add(sample)


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

    def __init__(self, loading: Loading | None, watches: Sequence[Watch]) -> None:
        self.loading = loading
        self.watches = watches

    def plan(self, tools: Tools) -> Generator[TimedCalls, float, tuple[Sample, ...]]:  # noqa: ARG002 - the contract's
        """Yield the one turn."""
        for watch in self.watches:
            watch.start()
        seconds = yield TimedCalls()
        if self.loading is not None:
            self.loading.parts[Phase.FIRST.value] = seconds
            self.loading.complete = True
        return tuple(sample for watch in reversed(self.watches) for sample in watch.samples())


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

"""One call of `infer` or `call`: the passes that it is made of, and what they keep."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from statistics import median
from typing import Any

from pytest_aiperf.measuring.driver import Driver, finish, is_asynchronous
from pytest_aiperf.measuring.entry import Entry, Observed
from pytest_aiperf.measuring.metrics import device_time, energy, latency, throughput
from pytest_aiperf.measuring.metrics.load_time import Loading
from pytest_aiperf.measuring.paired_turns import answer_requests, slowed
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.measuring.watches import Watches
from pytest_aiperf.vocabulary.contracts import Pass, Probe, TimedCalls
from pytest_aiperf.vocabulary.devices import DevicesSeen
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.messages import At
from pytest_aiperf.vocabulary.orders import Role
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import DISTURBED_SHARE, Phase

REPEATS = 2
"""Passes more, where others disturbed one."""
HOST_BOUND = 0.5
"""Busy for less than this share of each call, a device waits for the host."""
UNSEEN = 0.02
"""So little of a plain function's call is work that events do not see, on another runtime's stream."""
_NOTHING_SEEN = DevicesSeen(facts={}, disturbances=())


def measure(
    trial: Trial,
    entry: Entry,
    function: Callable[[], Any],
    items: int,
    *,
    owner: Any,
    context: AbstractContextManager[object],
) -> Any:
    """Run every pass that the trial's order asks for; return what the function returned. Raises UsageError."""
    if items < 1:
        raise UsageError(f"items={items}: expected how many items one call processes, 1 or more")
    tools, order, asynchronous = trial.context.tools, trial.order, is_asynchronous(owner)
    if order.slowdown is not None:
        function = slowed(function, order.slowdown, tools=tools, every=order.slowed_every)
    driver = Driver(function, tools, asynchronous=asynchronous)
    passes = _Passes(trial, entry, driver, items=items, owner=owner)
    return finish(passes.run(context), asynchronous=asynchronous)


class _Passes:
    """Those of one call, timed ones inside an exclusive section, memory in passes of its own."""

    def __init__(self, trial: Trial, entry: Entry, driver: Driver, *, items: int, owner: Any) -> None:
        self.trial = trial
        self.entry = entry
        self.driver = driver
        self.items = items
        self.owner = owner

    async def run(self, context: AbstractContextManager[object]) -> Any:
        """What the order of this process asks for; what the function returned."""
        __tracebackhide__ = True
        with context:
            await self._ordered()
        self.entry.take(self.trial.checked(self.owner))
        return _done(self.driver.result)

    async def _ordered(self) -> None:
        trial, entry, order = self.trial, self.entry, self.trial.order
        if order.role is Role.TURNS and (line := trial.context.turn_line) is not None:
            at, context = At(test=order.test, label=entry.label), trial.context
            await self.driver.follow(
                answer_requests(context.tools, line, at, items=self.items, flush=order.flush, probes=context.probes)
            )
            return
        ram = order.role.reads_memory and (trial.wants_ram or not order.role.times)
        loading = trial.pending_load(self.owner)
        if loading is not None or not order.role.times:
            gpu = order.role.reads_memory and trial.measures_gpu()
            watches = Watches() if order.role.times else trial.watches(Phase.FIRST, ram=ram, gpu=gpu)
            entry.take(Observed(samples=await self.driver.follow(_first_inference(loading, watches))))
        if order.role.times:
            with trial.context.exclusive(f"{entry.label or 'latency and throughput'}"):
                await self._timed()
        memory = [*self._others(timed=False)] if order.role.reads_memory else []
        if ram:
            memory.append(trial.watches(Phase.STEADY, ram=True, gpu=False))
        if order.role.reads_memory and trial.measures_gpu():  # the first call may have started a device
            memory.append(trial.watches(Phase.STEADY, ram=False, gpu=True))
        entry.take(Observed(samples=await self.driver.drive(memory)))

    def _others(self, *, timed: bool) -> Sequence[Probe]:
        """What other packages' metrics want to see of a pass."""
        order = self.trial.order
        return self.trial.context.probes(Pass(timed=timed, items=self.items, calls=order.calls, seconds=order.seconds))

    async def _timed(self) -> None:
        """Latency and throughput, again where others disturbed them; on a device its own time and energy."""
        order, reference = self.trial.order, self.trial.context.reference
        every_call = latency.Latency(
            calls=order.calls, seconds=order.seconds, max_seconds=order.max_seconds, flush=order.flush
        )
        for _ in range(1 + REPEATS):
            covariate = None if reference is None else reference.log_seconds()
            timed = await self.driver.drive((every_call,))
            if self.trial.runs_on_a_device():
                timed += await self.driver.drive((throughput.Throughput(items=self.items, seconds=order.seconds / 2),))
                seen = self.trial.context.tools.conditions.seen()
            else:
                timed += (throughput.derived(timed[0], items=self.items),)
                seen = _NOTHING_SEEN
            timed += await self.driver.drive(self._others(timed=True))
            disturbances = (*_disturbances(timed), *seen.disturbances)
            latest = [replace(sample, origin=order.origin) for sample in (*timed, *energy.samples_of(seen))]
            self.entry.take(
                Observed(latest=latest, covariate=covariate, conditions=seen.facts, disturbances=disturbances)
            )
            if not disturbances:
                break
            if reference is not None:
                reference.doubt()
        if self.trial.runs_on_a_device():
            self.entry.take(Observed(samples=await self.driver.drive((energy.Energy(seconds=order.seconds),))))
            await self._on_the_device(timed[0].values)

    async def _on_the_device(self, latencies: Sequence[float]) -> None:
        """The device's own time. Only torch's streams have its events: other runtimes queue on streams of their own."""
        with_events = self.trial.context.frameworks.of(self.owner).uses_torch_streams
        if with_events is False:
            return
        probe = device_time.DeviceTime(latency=median(latencies), flush=self.trial.order.flush)
        times = await self.driver.drive((probe,))
        share = device_time.busy_share(latencies, times[0].values) if times else None
        reasons: dict[str, tuple[str, ...]] = {}
        if share is not None and share < HOST_BOUND and (with_events or share > UNSEEN):
            reasons[latency.METRIC.name] = (device_time.host_bound(share),)
        self.entry.take(Observed(samples=times, reasons=reasons))


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


def _first_inference(loading: Loading | None, watches: Watches) -> Generator[TimedCalls, float, tuple[Sample, ...]]:
    """One call, before anything else; it ends the load of a model that this process loaded."""
    watches.start()
    seconds = yield TimedCalls()
    if loading is not None:
        loading.parts[Phase.FIRST.value] = seconds
        loading.complete = True
    return watches.samples()


def _disturbances(timed: Sequence[Sample]) -> tuple[str, ...]:
    worst = max(sample.foreign_share or 0.0 for sample in timed)
    if worst <= DISTURBED_SHARE:
        return ()
    return (f"other processes used {worst:.0%} of the processors while this was timed",)

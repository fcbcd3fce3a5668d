"""Drives probes: runs the turns that they ask for, under one pair of clock readings each."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pytest_aiperf.vocabulary.contracts import Probe, TimedCalls, Tools
from pytest_aiperf.vocabulary.records import Sample

NANOSECOND = 1e-9


class Driver:
    """Runs one function as often as probes ask, and keeps its last result.

    The result of a call is released before the next turn starts, so that its memory is neither timed nor counted twice.
    """

    def __init__(self, function: Callable[[], Any], tools: Tools) -> None:
        self.function = function
        self.tools = tools
        self.result: Any = None

    def run(self, probes: Sequence[Probe]) -> tuple[Sample, ...]:
        """All passes, one after the other."""
        samples: tuple[Sample, ...] = ()
        for probe in probes:
            samples += self._pass(probe.plan(self.tools))
        return samples

    async def run_async(self, probes: Sequence[Probe]) -> tuple[Sample, ...]:
        """The same for a coroutine function, inside the running event loop."""
        samples: tuple[Sample, ...] = ()
        for probe in probes:
            samples += await self._async_pass(probe.plan(self.tools))
        return samples

    def _pass(self, plan: Generator[TimedCalls, float, tuple[Sample, ...]]) -> tuple[Sample, ...]:
        try:
            turn = next(plan)
            while True:
                turn = plan.send(self._turn(turn))
        except StopIteration as end:
            return tuple(end.value)
        finally:
            plan.close()

    async def _async_pass(self, plan: Generator[TimedCalls, float, tuple[Sample, ...]]) -> tuple[Sample, ...]:
        try:
            turn = next(plan)
            while True:
                turn = plan.send(await self._async_turn(turn))
        except StopIteration as end:
            return tuple(end.value)
        finally:
            plan.close()

    def _turn(self, turn: TimedCalls) -> float:
        function, clock, wait = self.function, self.tools.clock, self.tools.devices.wait
        self.result = result = None
        wait()
        if turn.before is not None:
            turn.before()
        start = clock()
        for _ in range(turn.calls):
            result = function()
        if turn.after is not None:
            turn.after()
        wait()
        end = clock()
        self.result = result
        return (end - start) * NANOSECOND

    async def _async_turn(self, turn: TimedCalls) -> float:
        function: Callable[[], Awaitable[Any]] = self.function
        clock, wait = self.tools.clock, self.tools.devices.wait
        self.result = result = None
        wait()
        if turn.before is not None:
            turn.before()
        start = clock()
        for _ in range(turn.calls):
            result = await function()
        if turn.after is not None:
            turn.after()
        wait()
        end = clock()
        self.result = result
        return (end - start) * NANOSECOND


def flushing(tools: Tools, *, wanted: bool) -> Callable[[], None] | None:
    """What empties the devices' caches before a turn, where that is wanted; waits until it is done."""

    def flush() -> None:
        tools.devices.flush()
        tools.devices.wait()

    return flush if wanted else None


@contextmanager
def collector_off() -> Iterator[None]:
    """Keep Python's garbage collector out of timed calls, and put it back as it was.

    Only what is young is collected first: a walk through all that a suite has imported takes 50 ms and empties the
    processor's caches.
    """
    was_on = gc.isenabled()
    gc.collect(1)
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


def is_asynchronous(function: object) -> bool:
    """Whether calling it gives a coroutine: an `async def`, a bound one, or an object whose `__call__` is one."""
    target = function
    while hasattr(target, "func"):  # functools.partial
        target = target.func
    call = getattr(type(target), "__call__", None)  # noqa: B004 - the method itself is wanted, not whether it is there
    return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(call)


def settle(result: Any) -> Any:
    """Await a coroutine where no event loop runs; inside one, hand it back for the test to await."""
    if not inspect.iscoroutine(result):
        return result
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(result)
    return result

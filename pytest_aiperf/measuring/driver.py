"""Drives probes: runs the turns that they ask for, under one pair of clock readings each."""

from __future__ import annotations

import asyncio
import gc
import inspect
from collections.abc import Callable, Collection, Coroutine, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_aiperf.vocabulary.contracts import Probe, TimedCalls, Tools
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.records import Sample

NANOSECOND = 1e-9
_MEASURED = "the function"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CheckedProbe:
    """A probe of another package: what it promised and does not keep is a UsageError with the name of its class."""

    probe: Probe
    metrics: Collection[str]

    def plan(self, tools: Tools) -> Generator[TimedCalls, float, tuple[Sample, ...]]:
        plan: Any = self.probe.plan(tools)
        if not isinstance(plan, Generator):
            raise self._broken("plan() is no generator: it must yield TimedCalls, then return a tuple of Sample")
        try:
            turn = next(plan)
            while isinstance(turn, TimedCalls):
                turn = plan.send((yield turn))
        except StopIteration as end:
            return self._checked(end.value)
        raise self._broken(f"plan() yielded {turn!r}, expected TimedCalls")

    def _checked(self, seen: Any) -> tuple[Sample, ...]:
        if not isinstance(seen, tuple) or not all(isinstance(sample, Sample) for sample in seen):
            raise self._broken(f"plan() returned {seen!r}, expected a tuple of Sample; () where it saw nothing")
        for one in seen:
            floats = isinstance(one.values, tuple) and all(isinstance(value, (int, float)) for value in one.values)
            if one.metric not in self.metrics or not floats:
                raise self._broken(f"it saw {one.metric}={one.values!r}, expected one of METRICS and a tuple of floats")
        return seen

    def _broken(self, promise: str) -> UsageError:
        return UsageError(f"probe {type(self.probe).__module__}.{type(self.probe).__qualname__}: {promise}")


class Driver:
    """Runs one function as often as probes ask, and keeps its last result; `asynchronous`: a coroutine function.

    The result of a call is released before the next turn starts, so that its memory is neither timed nor counted twice.
    """

    def __init__(self, function: Callable[[], Any], tools: Tools, *, asynchronous: bool = False) -> None:
        self.function = function
        self.tools = tools
        self.asynchronous = asynchronous
        self.result: Any = None

    def run(self, probes: Sequence[Probe]) -> tuple[Sample, ...]:
        """All passes of a plain function, one after the other."""
        return without_loop(self.drive(probes))

    async def drive(self, probes: Sequence[Probe]) -> tuple[Sample, ...]:
        """The same of any function; of a coroutine function inside the running event loop."""
        __tracebackhide__ = True  # a test that fails inside a call shows the call, not who drove it
        samples: tuple[Sample, ...] = ()
        for probe in probes:
            samples += tuple(await self.follow(probe.plan(self.tools)))
        return samples

    async def follow(self, plan: Generator[TimedCalls, float, T]) -> T:
        """What a plan returns once all turns that it asked for have been taken."""
        __tracebackhide__ = True
        with closing(plan):
            try:
                turn = next(plan)
                while True:
                    turn = plan.send(await self._seconds(turn))
            except StopIteration as end:
                done: T = end.value
                return done

    async def call(self) -> Any:
        """One call, not timed."""
        return await self.function() if self.asynchronous else self.function()

    async def _seconds(self, turn: TimedCalls) -> float:
        __tracebackhide__ = True
        self.result = result = None
        function, asynchronous = self.function, self.asynchronous
        clock, wait = self.tools.clock, self.tools.devices.wait
        wait()
        if turn.before is not None:
            turn.before()
        start = clock()
        if asynchronous:
            for _ in range(turn.calls):
                result = await function()
        else:  # a loop of its own: an `if` in it would be timed, too
            for _ in range(turn.calls):
                result = function()
        if turn.after is not None:
            turn.after()
        wait()
        end = clock()
        self.result = result
        return NANOSECOND * (end - start)


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


def without_loop(steps: Coroutine[Any, Any, T], *, of: str = _MEASURED) -> T:
    """Run steps that never wait, without an event loop around them.

    Raises UsageError where something `of` the user's waits though it is no `async def`: it would be timed unawaited.
    """
    __tracebackhide__ = True
    try:
        steps.send(None)
    except StopIteration as end:
        done: T = end.value
        return done
    steps.close()
    raise UsageError(f"{of} returned an awaitable: make it an `async def` itself")


def finish(steps: Coroutine[Any, Any, Any], *, asynchronous: bool, of: str = _MEASURED) -> Any:
    """What the steps return; asynchronous ones that start inside a running event loop, as a coroutine."""
    __tracebackhide__ = True
    return settle(steps) if asynchronous else without_loop(steps, of=of)

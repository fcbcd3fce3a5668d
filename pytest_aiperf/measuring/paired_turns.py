"""One arm of an interleaving: how it warms up and takes its turns; in a child, as the parent calls them."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from statistics import median
from typing import Any

from pytest_aiperf.measuring.driver import NANOSECOND, collector_off, flushing
from pytest_aiperf.measuring.interleaving import BURSTS
from pytest_aiperf.measuring.metrics import latency, throughput
from pytest_aiperf.measuring.metrics.latency import SLOW_SECONDS
from pytest_aiperf.vocabulary.contracts import Pass, Probe, Probes, TimedCalls, Tools, TurnLine
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.messages import At, TakeTurn, TimedTurn, Warm, WarmUp
from pytest_aiperf.vocabulary.terms import Turns

WARM_UPS = 3


def answer_requests(
    tools: Tools, line: TurnLine, at: At, *, items: int = 1, flush: bool = False, probes: Probes = lambda _: ()
) -> Generator[TimedCalls, float, None]:
    """Say where this process is, warm up, then run one turn per request; send what was seen.

    Answers `WarmUp`, then `TakeTurn` as often as wanted; `GoOn` ends it at any time.
    """
    line.send(at)
    if not isinstance(line.request(), WarmUp):
        yield TimedCalls()
        return
    warm = yield from warm_up(tools)
    gc.collect()
    with collector_off():
        line.send(warm)
        while isinstance(request := line.request(), TakeTurn):
            line.send((yield from take_turn(tools, request, items=items, flush=flush, probes=probes)))


def warm_up(tools: Tools) -> Generator[TimedCalls, float, Warm]:
    """The first calls, and what one takes after them."""
    first = yield TimedCalls()
    seconds = []
    for _ in range(1 if first > SLOW_SECONDS else WARM_UPS):
        seconds.append((yield TimedCalls()))  # noqa: PERF401 - a comprehension cannot yield
    queues = bool(tools.devices.started())
    return Warm(seconds=median(seconds), queues=queues)


def take_turn(
    tools: Tools, asked: TakeTurn, *, items: int = 1, flush: bool = False, probes: Probes = lambda _: ()
) -> Generator[TimedCalls, float, TimedTurn]:
    """One turn of one arm; `items` per call."""
    if asked.calls > 1:
        yield TimedCalls()  # whatever the other arm left in the caches, this call pays for
    tools.foreign.start()
    if asked.kind is Turns.PROBE:
        values = yield from _probed(tools, probes(Pass(timed=True, items=items, calls=asked.calls, seconds=0.0)))
    else:
        values = yield from _called(tools, asked, items=items, flush=flush)
    elapsed, foreign = tools.foreign.spent()
    return TimedTurn(values=values, elapsed=elapsed, foreign=foreign)


def _called(
    tools: Tools, asked: TakeTurn, *, items: int, flush: bool
) -> Generator[TimedCalls, float, Mapping[str, tuple[float, ...]]]:
    queued = asked.kind is Turns.BURSTS
    turn = TimedCalls(calls=asked.batch, before=flushing(tools, wanted=flush and not queued))
    seconds = []
    for _ in range(asked.calls):
        seconds.append((yield turn) / asked.batch)  # noqa: PERF401 - a comprehension cannot yield
    if queued:
        return {throughput.METRIC.name: tuple(items / max(one, NANOSECOND) for one in seconds)}
    values = {latency.METRIC.name: tuple(seconds)}
    if not tools.devices.started():  # nothing queues calls: bursts of them would say the same
        values[throughput.METRIC.name] = throughput.of_calls(seconds, items=items, bursts=BURSTS)
    return values


def _probed(tools: Tools, probes: Sequence[Probe]) -> Generator[TimedCalls, float, Mapping[str, tuple[float, ...]]]:
    values: dict[str, tuple[float, ...]] = {}
    for probe in probes:
        samples = yield from probe.plan(tools)
        values |= {sample.metric: sample.values for sample in samples if sample.values}
    return values


def slowed(function: Callable[[], Any], share: float, *, tools: Tools, every: int = 1) -> Callable[[], Any]:
    """The function, and behind each call (one of `every`) a spin of `share` times as long, its device waited for.

    The wrapped function returns what `function` does. Raises UsageError, once called, for a coroutine function.
    """
    calls = 0
    clock = tools.clock

    def run() -> Any:
        nonlocal calls
        calls += 1
        start = clock()
        result = function()
        if inspect.isawaitable(result):
            raise UsageError("a known slowdown cannot be put behind an `async def`: name a test of a plain function")
        if calls % every == 0:
            tools.devices.wait()
            end = clock()
            until = end + round((end - start) * share)
            while clock() < until:
                pass
        return result

    return run

"""One load of a model: its files, its timed parts, its memory; the same for plain and `async def` loaders."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pytest_aiperf.machine import files as model_files
from pytest_aiperf.measuring.driver import NANOSECOND, finish, is_asynchronous
from pytest_aiperf.measuring.entry import Entry, Observed
from pytest_aiperf.measuring.metrics.load_time import TO_THE_DEVICE, Loading
from pytest_aiperf.measuring.trial import Trial
from pytest_aiperf.vocabulary.contracts import Tools
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.terms import Cache, Phase

Loader = Callable[[], Any]
First = Callable[[Any], Any]


def run(trial: Trial, entry: Entry, loader: Loader, first: First | None, *, asynchronous: bool) -> Any:
    """Load, measured if this process was ordered to; the model comes back, inside a running event loop as a coroutine.

    Raises UsageError where something that is not an `async def` returns an awaitable: it would be timed unawaited.
    """
    cache = trial.order.load
    steps = _plain(loader, first) if cache is None else _measured(trial, entry, loader, first, cache)
    asynchronous = asynchronous or is_asynchronous(first)
    return finish(steps, asynchronous=asynchronous, of="aiperf.load: the loader, or first=,")


async def _plain(loader: Loader, first: First | None) -> Any:
    model = await _settled(loader())
    if first is not None:
        await _settled(first(model))
    return model


async def _measured(trial: Trial, entry: Entry, loader: Loader, first: First | None, cache: Cache) -> Any:
    tools = trial.context.tools
    loading = Loading(cache=cache.value)
    if entry.seen.paths and cache is Cache.COLD:
        loading.notes = model_files.evict(entry.seen.paths)
    elif entry.seen.paths:
        model_files.read_through(entry.seen.paths)
    watches = trial.watches(Phase.LOAD, ram=True, gpu=trial.measures_gpu()).start()
    moved: list[float] = []
    with ExitStack() as stack:
        for framework in trial.context.frameworks:
            stack.enter_context(framework.watch_moves(tools.clock, moved))
        loading.model = await _timed(loading, "read and build", loader, tools)
    if moved:
        loading.parts[TO_THE_DEVICE] = sum(moved)
    entry.take(Observed(samples=watches.samples()))
    if first is not None:
        watches = trial.watches(Phase.FIRST, ram=True, gpu=trial.measures_gpu()).start()
        await _timed(loading, Phase.FIRST.value, lambda: first(loading.model), tools)
        loading.complete = True
        entry.take(Observed(samples=watches.samples()))
    entry.loading = loading
    return loading.model


async def _timed(loading: Loading, part: str, function: Loader, tools: Tools) -> Any:
    start = tools.clock()
    result = await _settled(function())
    tools.devices.wait()
    loading.parts[part] = (tools.clock() - start) * NANOSECOND
    return result


async def _settled(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def known_files(
    named: Iterable[str | os.PathLike[str]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Path, ...]:
    """The model's files: those named, else paths among the arguments. Raises UsageError for one that is not there."""
    paths = tuple(Path(file) for file in named)
    for path in paths:
        if not path.exists():
            raise UsageError(f"aiperf.load(files=...): {path} does not exist")
    if paths:
        return paths
    candidates = (Path(value) for value in (*args, *kwargs.values()) if isinstance(value, (str, os.PathLike)))
    return tuple(filter(os.path.isfile, candidates))  # False, too, of a string that no file system takes for a path

"""What stays behind after calls that leak: lines that allocated it, and objects that became more."""

from __future__ import annotations

import gc
import linecache
import sys
import tracemalloc
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from pytest_aiperf.measuring.allocations import Frame, GpuHistory, Stack, gpu_kept, tensor_text
from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.package import PACKAGE
from pytest_aiperf.vocabulary.terms import Unit

CALLS = 20
FRAMES = 12
MOST_NAMED = 3
SMALLEST = 1024.0
"""Bytes per call from which a line is named."""
OWN = (str(PACKAGE), "<frozen ", tracemalloc.__file__)
Key = TypeVar("Key", bound=Hashable)
_PLAIN = frozenset({"dict", "list", "tuple", "set", "cell", "function", "frame", "builtin_function_or_method"})


async def told(driver: Driver, modules: Mapping[str, ModuleType] = sys.modules) -> tuple[str, ...]:
    """Call a few times more, and tell what grew, the largest first.

    It must have grown in both halves: a cache that is filled once, or another thread's work, is no leak.
    """
    gpu, kept = GpuHistory(modules), list[Counter[Frame]]()
    with _tracing():
        await driver.call()  # the first one may keep what it needs
        objects, snapshots = [_objects()], [tracemalloc.take_snapshot()]
        for _half in range(2):
            gpu.start()
            for _ in range(CALLS // 2):
                await driver.call()
            kept.append(_by_line(gpu_kept(gpu.stop())))
            objects.append(_objects())
            snapshots.append(tracemalloc.take_snapshot())
        lines = _lines(_steady(list(map(_grown, snapshots, snapshots[1:])), SMALLEST).most_common(MOST_NAMED))
        on_gpu = _lines(_steady(kept, SMALLEST).most_common(MOST_NAMED))
    kinds = _kinds(_steady([after - before for before, after in pairwise(objects)], 1))
    return (*lines, *(f"{line} on the GPU" for line in on_gpu), *kinds)


@contextmanager
def _tracing() -> Iterator[None]:
    was_tracing = tracemalloc.is_tracing()
    if not was_tracing:
        tracemalloc.start(FRAMES)
    try:
        yield
    finally:
        if not was_tracing:
            tracemalloc.stop()


def _grown(first: tracemalloc.Snapshot, last: tracemalloc.Snapshot) -> Counter[Frame]:
    """Bytes by the innermost line that is the user's: inside libraries it says nothing."""
    grown: Counter[Frame] = Counter()
    for difference in last.compare_to(first, "traceback"):
        if difference.size_diff:
            frame = _users(difference.traceback)
            grown[frame.filename, frame.lineno] += difference.size_diff
    return grown


def _by_line(kept: Counter[Stack]) -> Counter[Frame]:
    lines: Counter[Frame] = Counter()
    for stack, size in kept.items():
        lines[stack[0]] += size
    return lines


def _steady(halves: Sequence[Counter[Key]], fewest: float) -> Counter[Key]:
    """Sums of what each half of the calls has at least `fewest` of per call."""
    kept = [key for key in halves[0] if all(half[key] >= fewest * CALLS / 2 for half in halves)]
    return Counter({key: sum(half[key] for half in halves) for key in kept})


def _lines(grown: Iterable[tuple[Frame, float]]) -> Iterator[str]:
    for (file, line), size in grown:
        if size / CALLS >= SMALLEST and not file.startswith(OWN):
            source = linecache.getline(file, line).strip()
            per_call = units.text(size / CALLS, Unit.BYTES)
            yield f"{per_call} per call allocated at {Path(file).name}:{line}" + (f" ({source})" if source else "")


def _users(trace: tracemalloc.Traceback) -> tracemalloc.Frame:
    inside = ("site-packages", "dist-packages", "<", "/lib/python")
    own = [frame for frame in reversed(trace) if not any(part in frame.filename for part in inside)]
    return own[0] if own else trace[-1]


def _objects() -> Counter[str]:
    """Kinds of everything that the collector tracks; tensors by shape, since tracemalloc does not see their memory."""
    gc.collect()
    things = gc.get_objects()
    kinds = Counter(map(type, things))
    tensors = tuple(kind for kind in kinds if _module(kind) == "torch" and kind.__name__ in ("Tensor", "Parameter"))
    named: Counter[str] = Counter()
    for kind, count in kinds.items():
        if kind not in tensors:
            named[f"{kind.__module__}.{kind.__qualname__}"] += count
    named.update(tensor_text(thing) for thing in things if type(thing) in tensors)
    return named


def _module(kind: type) -> str:
    return kind.__module__.partition(".")[0] if isinstance(kind.__module__, str) else ""  # C types may differ


def _kinds(more: Counter[str]) -> Iterator[str]:
    kinds = [kind for kind in more if kind.removeprefix("builtins.") not in _PLAIN]
    for kind in sorted(kinds, key=lambda kind: (not kind.startswith("tensor "), -more[kind]))[:MOST_NAMED]:
        yield f"{more[kind] / CALLS:.3g} more {kind} with each call"

"""What stays behind after calls that leak: lines that allocated it, and objects that became more."""

from __future__ import annotations

import gc
import linecache
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from pytest_aiperf.measuring.allocations import Frame, GpuHistory, gpu_kept, tensor_text
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
_PLAIN = frozenset({"dict", "list", "tuple", "set", "cell", "function", "frame", "builtin_function_or_method"})


async def told(driver: Driver, modules: Mapping[str, ModuleType] = sys.modules) -> tuple[str, ...]:
    """Call a few times more, and tell what grew, the largest first."""
    objects, gpu = _objects(), GpuHistory(modules)
    with _tracing():
        await driver.call()  # the first one may keep what it needs
        gc.collect()
        gpu.start()
        first = tracemalloc.take_snapshot()
        for _ in range(CALLS):
            await driver.call()
        gc.collect()
        lines = _lines(_grown(first, tracemalloc.take_snapshot()).most_common(MOST_NAMED))
        on_gpu = _lines((stack[0], size) for stack, size in gpu_kept(gpu.stop()).most_common(MOST_NAMED))
    return (*lines, *(f"{line} on the GPU" for line in on_gpu), *_kinds(objects, _objects()))


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


def _kinds(before: Counter[str], after: Counter[str]) -> Iterator[str]:
    more = {kind: count - before[kind] for kind, count in after.items() if kind.removeprefix("builtins.") not in _PLAIN}
    most = sorted(more, key=lambda kind: (not kind.startswith("tensor "), -more[kind]))
    for kind in most[:MOST_NAMED]:
        if more[kind] >= CALLS:
            yield f"{more[kind] / (CALLS + 1):.3g} more {kind} with each call"

"""Who allocated what was held at the peak: lines of Python (tracemalloc), tensors (torch), blocks of a GPU (torch).

For a process that measures nothing else: all of it slows the traced code down.
"""

from __future__ import annotations

import linecache
import sys
import threading
import time
import traceback
import tracemalloc
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_aiperf.vocabulary.baseline import Allocations
from pytest_aiperf.vocabulary.package import PACKAGE

FRAMES = 12
LOOK_SECONDS = 0.002
STEP = 1024.0**2
"""Bytes by which a peak has to grow before it is looked at again."""
MOST_NAMED = 20
SMALLEST = 256 * 1024.0
"""Bytes from which a line is kept."""
GPU_EVENTS = 200_000
OWN = str(PACKAGE)
_LIBRARIES = ("site-packages", "dist-packages", "/lib/python", "<")

IMPORTS = "imports"

DEPTH = 3
"""Lines of the user's that are told of one allocation."""

Frame = tuple[str, int]
"""File and line."""
Stack = tuple[Frame, ...]
"""The user's own lines, the innermost first."""


class AllocationWatch:
    """From `start` to `stop`; `stop` tells bytes by the user's line, the largest first."""

    def __init__(self, modules: Mapping[str, ModuleType], root: Path) -> None:
        self._modules = modules
        self._root = root
        self._python = _PythonPeak()
        self._tensors: Any = None
        self._gpu = GpuHistory(modules)

    def start(self) -> None:
        """Start tracing. A torch that is imported later is not traced."""
        torch: Any = self._modules.get("torch")
        if torch is not None:
            self._tensors = _tensor_peak(torch)
            self._tensors.__enter__()
            torch.empty(0)  # the first dispatch imports hundreds of modules: not something of the test's
        self._gpu.start()
        self._python.start()

    def stop(self) -> Allocations:
        """End tracing. Line (`net.py:12 (weights = ...) < test_net.py:7`) -> bytes at its memory's peak."""
        found = self._python.stop()
        if self._tensors is not None:
            self._tensors.__exit__(None, None, None)
            found.update(self._tensors.at_peak)
        return Allocations(host=self._largest(found), gpu=self._largest(gpu_peak(self._gpu.stop())))

    def _largest(self, found: Mapping[Stack, int]) -> dict[str, float]:
        named: Counter[str] = Counter()
        for stack, size in found.items():
            named[self._name(stack)] += size
        return {name: float(size) for name, size in named.most_common(MOST_NAMED) if size >= SMALLEST}

    def _name(self, stack: Stack) -> str:
        (file, line), *callers = stack
        if file.startswith("<frozen importlib"):
            return IMPORTS
        source = linecache.getline(file, line).strip()
        called = "".join(f" < {self._place(frame)}" for frame in callers)
        return self._place((file, line)) + (f" ({source})" if source else "") + called

    def _place(self, frame: Frame) -> str:
        file, line = frame
        path = Path(file)
        shown = path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else path.name
        return f"{shown}:{line}"


def tensor_text(tensor: Any) -> str:
    """A kind of tensor, for people: `tensor (64, 256) float32 on cuda:0`."""
    return f"tensor {tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')} on {tensor.device}"


class GpuHistory:
    """Torch's own record of what its caching allocator hands out on CUDA; nothing without it."""

    def __init__(self, modules: Mapping[str, ModuleType]) -> None:
        self._modules = modules
        self._memory: Any = None

    def start(self) -> None:
        """Record from here on."""
        torch: Any = self._modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            self._memory = torch.cuda.memory
            self._memory._record_memory_history(  # noqa: SLF001 - documented under this name
                enabled="all", context="alloc", stacks="python", max_entries=GPU_EVENTS
            )

    def stop(self) -> Sequence[Sequence[Mapping[str, Any]]]:
        """The events of each device since `start`."""
        if self._memory is None:
            return ()
        traces: Sequence[Sequence[Mapping[str, Any]]] = self._memory._snapshot()["device_traces"]  # noqa: SLF001 - as above
        self._memory._record_memory_history(enabled=None)  # noqa: SLF001
        self._memory = None
        return traces


def gpu_peak(traces: Sequence[Sequence[Mapping[str, Any]]]) -> Counter[Stack]:
    """What the allocator of each device had handed out at its peak, by the user's line.

    `traces` are the events of `torch.cuda.memory._snapshot()`; what was allocated before the recording is not in them.
    """
    return sum((_held(trace[: _fullest(trace)]) for trace in traces), Counter())


def gpu_kept(traces: Sequence[Sequence[Mapping[str, Any]]]) -> Counter[Stack]:
    """The same at the end: what was allocated meanwhile and is still held."""
    return sum(map(_held, traces), Counter())


def _fullest(trace: Sequence[Mapping[str, Any]]) -> int:
    """After how many events most was held."""
    held = [0]
    sizes: dict[int, int] = {}
    for event in trace:
        change = 0
        if event["action"] == "alloc":
            change = sizes[event["addr"]] = event["size"]
        elif event["action"] == "free_completed":
            change = -sizes.pop(event["addr"], 0)
        held.append(held[-1] + change)
    return held.index(max(held))


def _held(trace: Sequence[Mapping[str, Any]]) -> Counter[Stack]:
    live: dict[int, Mapping[str, Any]] = {}
    for event in trace:
        if event["action"] == "alloc":
            live[event["addr"]] = event
        elif event["action"] == "free_completed":
            live.pop(event["addr"], None)
    found: Counter[Stack] = Counter()
    for event in live.values():
        frames = [(frame["filename"], frame["line"]) for frame in event.get("frames", ())]
        found[users(frames)] += event["size"]
    return found


def users(frames: Iterable[Frame]) -> Stack:
    """The lines that are the user's, `frames` beginning with the innermost; else the innermost of all."""
    known = list(frames)
    own = [one for one in known if not one[0].startswith(OWN) and not any(part in one[0] for part in _LIBRARIES)]
    return tuple(own[:DEPTH] or known[:1] or [("?", 0)])


class _PythonPeak:
    """tracemalloc tells only of the present: a thread looks again and again, and keeps the fullest picture."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="aiperf-allocations")
        self._most = 0.0
        self._snapshot: tracemalloc.Snapshot | None = None

    def start(self) -> None:
        tracemalloc.start(FRAMES)
        self._thread.start()

    def stop(self) -> Counter[Stack]:
        self._stopping.set()
        self._thread.join()
        self._look()
        snapshot = self._snapshot
        tracemalloc.stop()
        found: Counter[Stack] = Counter()
        for statistic in snapshot.statistics("traceback") if snapshot is not None else ():
            found[users((frame.filename, frame.lineno) for frame in reversed(statistic.traceback))] += statistic.size
        return found

    def _watch(self) -> None:
        pause = LOOK_SECONDS
        while not self._stopping.wait(pause):
            start = time.monotonic()
            self._look()
            pause = max(LOOK_SECONDS, time.monotonic() - start)  # large pictures take long: half of the time at most

    def _look(self) -> None:
        held, _ = tracemalloc.get_traced_memory()
        if held > self._most + max(STEP, 0.05 * self._most):
            self._most, self._snapshot = float(held), tracemalloc.take_snapshot()


def _tensor_peak(torch: ModuleType) -> Any:
    """A dispatch mode of torch that follows the storages on the processor: tracemalloc does not see them."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class TensorPeak(TorchDispatchMode):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.live: dict[int, tuple[int, Stack]] = {}
            self.held = self.most = 0
            self.at_peak: Counter[Stack] = Counter()

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            for leaf in tree_leaves(result):
                if isinstance(leaf, torch.Tensor) and leaf.device.type == "cpu":
                    self._follow(leaf)
            return result

        def _follow(self, tensor: Any) -> None:
            storage = tensor.untyped_storage()
            key = storage._cdata  # noqa: SLF001 - the address of the storage itself, which views share
            if key in self.live:
                return
            frames = traceback.walk_stack(sys._getframe(2))  # noqa: SLF001 - of the call that torch dispatched
            stack = users((frame.f_code.co_filename, line) for frame, line in frames)
            self.live[key] = (storage.nbytes(), stack)
            self.held += storage.nbytes()
            weakref.finalize(storage, self._forget, key)
            if self.held > self.most + max(STEP, 0.05 * self.most):
                self.most = self.held
                self.at_peak = Counter()
                for size, stack in self.live.values():
                    self.at_peak[stack] += size

        def _forget(self, key: int) -> None:
            size, _ = self.live.pop(key, (0, None))
            self.held -= size

    return TensorPeak()

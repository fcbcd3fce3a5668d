"""What torch's backends (CUDA, ROCm, XPU, MPS) have in common: waiting, peaks, and a timer over their events."""

from __future__ import annotations

import gc
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import ModuleType
from typing import Any

from pytest_aiperf.vocabulary.devices import Accelerator, DeviceTimer, GpuMemory

MILLISECOND = 1e-3


class TorchDevices(Accelerator):
    """The devices of one backend of torch; a member says how to find the backend, and what is its own."""

    def __init__(self, *, modules: Mapping[str, ModuleType]) -> None:
        self._modules = modules

    @abstractmethod
    def _backend(self) -> Any:
        """`torch.cuda` or its like, once this process has started it; else None. Asked around every timed call."""

    def _indices(self, backend: Any) -> Sequence[int]:
        """The devices that this process has started."""
        return range(backend.device_count())

    def _empty_cache(self, backend: Any) -> None:
        backend.empty_cache()

    def _sleep(self, backend: Any) -> Callable[[float], object] | None:  # noqa: ARG002 - a member's
        """What keeps the current device busy for some seconds."""
        return None

    def initialised(self) -> bool:
        return self._backend() is not None

    def wait(self) -> None:
        backend = self._backend()
        if backend is not None:
            for index in self._indices(backend):
                backend.synchronize(index)

    def reset_peak(self) -> None:
        backend = self._backend()
        if backend is None:
            return
        gc.collect()
        self.wait()
        self._empty_cache(backend)
        for index in self._indices(backend):
            backend.reset_peak_memory_stats(index)

    def timer(self) -> DeviceTimer | None:
        backend = self._backend()
        if backend is None or not self._indices(backend):
            return None
        return EventTimer(
            lambda: backend.Event(enable_timing=True),
            devices=self._indices(backend),
            on=backend.device,
            sleep=self._sleep(backend),
        )


class EventTimer:
    """A pair of events on the current stream of each device.

    `on(index)` makes a device the current one; `sleep(seconds)` queues a kernel that only waits.
    """

    def __init__(
        self,
        make_event: Callable[[], Any],
        *,
        devices: Sequence[int] = (0,),
        on: Callable[[int], AbstractContextManager[object]] = nullcontext,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._devices = devices
        self._on = on
        self._sleep = sleep
        self._pairs = [(make_event(), make_event()) for _ in devices]

    def hold(self, seconds: float) -> None:
        if self._sleep is None:
            return
        for device in self._devices:
            with self._on(device):
                self._sleep(seconds)

    def start(self) -> None:
        self._record(0)

    def stop(self) -> None:
        self._record(1)

    def seconds(self) -> float:
        return max(float(first.elapsed_time(second)) for first, second in self._pairs) * MILLISECOND

    def _record(self, place: int) -> None:
        for device, pair in zip(self._devices, self._pairs, strict=True):
            with self._on(device):
                pair[place].record()


def with_allocations(record: GpuMemory, backend: Any, index: int) -> GpuMemory:
    """A device's record, with what torch's allocator counts there."""
    return replace(
        record,
        allocated=backend.memory_allocated(index),
        allocated_peak=backend.max_memory_allocated(index),
        reserved=backend.memory_reserved(index),
        reserved_peak=backend.max_memory_reserved(index),
    )


def counted(names: Iterable[str]) -> str:
    """`2 x NVIDIA H200`."""
    return ", ".join(f"{count} x {name}" for name, count in sorted(Counter(names).items()))

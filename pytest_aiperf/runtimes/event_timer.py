"""A timer over a runtime's events, as CUDA, ROCm, XPU and MPS offer them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

MILLISECOND = 1e-3


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
        for device in self._devices if self._sleep is not None else ():
            with self._on(device):
                self._sleep(seconds)  # type: ignore[misc]

    def start(self) -> None:
        for device, (first, _) in zip(self._devices, self._pairs, strict=True):
            with self._on(device):
                first.record()

    def stop(self) -> None:
        for device, (_, second) in zip(self._devices, self._pairs, strict=True):
            with self._on(device):
                second.record()

    def seconds(self) -> float:
        return max(float(first.elapsed_time(second)) for first, second in self._pairs) * MILLISECOND

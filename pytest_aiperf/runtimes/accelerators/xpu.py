"""Intel GPUs through torch's XPU build."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from pytest_aiperf.runtimes.event_timer import EventTimer
from pytest_aiperf.vocabulary.devices import Accelerator, DeviceTimer, GpuMemory

NO_DRIVER_FIGURE = "process memory unknown: there is no driver figure for Intel devices"


class Xpu(Accelerator):
    """torch starts all its XPU devices together, so all are waited for."""

    def __init__(self, *, modules: Mapping[str, ModuleType]) -> None:
        self._modules = modules

    def initialised(self) -> bool:
        return self._started() is not None

    def wait(self) -> None:
        xpu = self._started()
        if xpu is None:
            return
        for index in range(xpu.device_count()):
            xpu.synchronize(index)

    def reset_peak(self) -> None:
        xpu = self._started()
        if xpu is None:
            return
        gc.collect()
        self.wait()
        xpu.empty_cache()
        for index in range(xpu.device_count()):
            xpu.reset_peak_memory_stats(index)

    def memory(self) -> Sequence[GpuMemory]:
        xpu = self._started()
        if xpu is None:
            return ()
        return [_device_memory(xpu, i) for i in range(xpu.device_count()) if xpu.max_memory_reserved(i)]

    def timer(self) -> DeviceTimer | None:
        xpu = self._started()
        if xpu is None or not xpu.device_count():
            return None
        return EventTimer(lambda: xpu.Event(enable_timing=True), devices=range(xpu.device_count()), on=xpu.device)

    def facts(self) -> Mapping[str, str]:
        xpu = self._started()
        if xpu is None:
            return {}
        devices = [xpu.get_device_properties(index) for index in range(xpu.device_count())]
        if not devices:
            return {}
        counts = sorted(Counter(device.name for device in devices).items())
        return {
            "gpu": ", ".join(f"{count} x {name}" for name, count in counts),
            "driver": ".".join(devices[0].driver_version.split(".")[:2]),
        }

    def _started(self) -> Any:
        xpu = getattr(self._modules.get("torch"), "xpu", None)
        return xpu if xpu is not None and xpu.is_initialized() else None


def create() -> Accelerator:
    """XPU as this process has it."""
    return Xpu(modules=sys.modules)


def _device_memory(xpu: Any, index: int) -> GpuMemory:
    return GpuMemory(
        device=f"xpu:{index}",
        allocated=xpu.memory_allocated(index),
        allocated_peak=xpu.max_memory_allocated(index),
        reserved=xpu.memory_reserved(index),
        reserved_peak=xpu.max_memory_reserved(index),
        process=None,
        notes=(NO_DRIVER_FIGURE,),
    )

"""Intel GPUs through torch's XPU build."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_aiperf.runtimes.torch_devices import TorchDevices, counted, with_allocations
from pytest_aiperf.vocabulary.devices import Accelerator, GpuMemory

NO_DRIVER_FIGURE = "process memory unknown: there is no driver figure for Intel devices"


class Xpu(TorchDevices):
    """torch starts all its XPU devices together, so all are waited for."""

    def memory(self) -> Sequence[GpuMemory]:
        xpu = self._backend()
        used = () if xpu is None else [index for index in self._indices(xpu) if xpu.max_memory_reserved(index)]
        return [with_allocations(GpuMemory(device=f"xpu:{i}", notes=(NO_DRIVER_FIGURE,)), xpu, i) for i in used]

    def facts(self) -> Mapping[str, str]:
        xpu = self._backend()
        devices = () if xpu is None else [xpu.get_device_properties(index) for index in self._indices(xpu)]
        if not devices:
            return {}
        return {
            "gpu": counted(device.name for device in devices),
            "driver": ".".join(devices[0].driver_version.split(".")[:2]),
        }

    def _backend(self) -> Any:
        xpu = getattr(self._modules.get("torch"), "xpu", None)
        return xpu if xpu is not None and xpu.is_initialized() else None


def create() -> Accelerator:
    """XPU as this process has it."""
    return Xpu(modules=sys.modules)

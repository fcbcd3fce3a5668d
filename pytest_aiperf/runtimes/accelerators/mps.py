"""Apple's GPU through torch's MPS build."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from pytest_aiperf.runtimes.event_timer import EventTimer
from pytest_aiperf.vocabulary.devices import Accelerator, DeviceTimer, GpuMemory

NO_PEAK = "allocated and reserved peaks unknown: MPS keeps none"


class Mps(Accelerator):
    """One device, and no flag that says whether it was started: it was once Metal holds memory for this process."""

    def __init__(self, *, modules: Mapping[str, ModuleType]) -> None:
        self._modules = modules

    def initialised(self) -> bool:
        return self._started() is not None

    def wait(self) -> None:
        mps = self._started()
        if mps is not None:
            mps.synchronize()

    def reset_peak(self) -> None:
        mps = self._started()
        if mps is None:
            return
        gc.collect()
        mps.synchronize()
        mps.empty_cache()

    def memory(self) -> Sequence[GpuMemory]:
        mps = self._started()
        if mps is None:
            return ()
        held = mps.driver_allocated_memory()
        return [GpuMemory(device="mps", allocated_peak=None, reserved_peak=None, process=held, notes=(NO_PEAK,))]

    def timer(self) -> DeviceTimer | None:
        mps = self._started()
        return None if mps is None else EventTimer(lambda: mps.event.Event(enable_timing=True))

    def _started(self) -> Any:
        torch: Any = self._modules.get("torch")
        backend = getattr(getattr(torch, "backends", None), "mps", None)
        if backend is None or not hasattr(torch, "mps") or not backend.is_available():
            return None
        return torch.mps if torch.mps.driver_allocated_memory() > 0 else None


def create() -> Accelerator:
    """MPS as this process has it."""
    return Mps(modules=sys.modules)

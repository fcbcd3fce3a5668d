"""Apple's GPU through torch's MPS build."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from pytest_aiperf.runtimes.torch_devices import EventTimer, TorchDevices
from pytest_aiperf.vocabulary.devices import Accelerator, DeviceTimer, GpuMemory

NO_PEAK = "allocated and reserved peaks unknown: MPS keeps none"


class Mps(TorchDevices):
    """One device, and no flag that says whether it was started: it was once Metal holds memory for this process."""

    def wait(self) -> None:
        mps = self._backend()
        if mps is not None:
            mps.synchronize()

    def memory(self) -> Sequence[GpuMemory]:
        mps = self._backend()
        return () if mps is None else [GpuMemory(device="mps", process=mps.driver_allocated_memory(), notes=(NO_PEAK,))]

    def timer(self) -> DeviceTimer | None:
        mps = self._backend()
        return None if mps is None else EventTimer(lambda: mps.event.Event(enable_timing=True))

    def _backend(self) -> Any:
        torch: Any = self._modules.get("torch")
        backend = getattr(getattr(torch, "backends", None), "mps", None)
        if backend is None or not hasattr(torch, "mps") or not backend.is_available():
            return None
        return torch.mps if torch.mps.driver_allocated_memory() > 0 else None

    def _indices(self, backend: Any) -> Sequence[int]:  # noqa: ARG002 - the other backends'
        return ()  # it has no number, and no peak to restart


def create() -> Accelerator:
    """MPS as this process has it."""
    return Mps(modules=sys.modules)

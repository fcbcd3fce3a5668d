"""NVIDIA and AMD GPUs: torch waits and counts its tensors, NVML tells what the driver charges."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from pytest_aiperf.machine.gpu_records import Device, Unavailable
from pytest_aiperf.machine.nvml import VISIBLE, Nvml, chosen
from pytest_aiperf.runtimes.torch_devices import TorchDevices, counted, with_allocations
from pytest_aiperf.vocabulary.devices import Accelerator, GpuMemory

LARGEST_CACHE = 128 * 1024**2
"""Bytes: no device has a larger second-level cache; for a torch that does not tell it."""
USUAL_CLOCK = 1.5e9
"""Cycles per second of a kernel that only waits, where torch does not tell the clock."""


class Cuda(TorchDevices):
    """CUDA and ROCm builds of torch; through NVML also runtimes that tell nothing (ONNX Runtime, TensorRT)."""

    def __init__(self, *, modules: Mapping[str, ModuleType], nvml: Nvml, environ: Mapping[str, str]) -> None:
        super().__init__(modules=modules)
        self._nvml = nvml
        self._environ = environ

    def memory(self) -> Sequence[GpuMemory]:
        cuda, torch = self._backend(), self._torch
        if cuda is not None and torch.version.hip:
            return [_rocm_memory(cuda, index) for index in self._indices(cuda)]
        seen = [] if cuda is None else [self._torch_memory(cuda, index) for index in self._indices(cuda)]
        return seen + self._driver_memory({record.device for record in seen})

    def flush(self) -> None:
        cuda, torch = self._backend(), self._torch
        for index in () if cuda is None else self._indices(cuda):
            size = getattr(cuda.get_device_properties(index), "L2_cache_size", 0) or LARGEST_CACHE
            torch.empty(2 * size, dtype=torch.uint8, device=f"cuda:{index}").zero_()

    def facts(self) -> Mapping[str, str]:
        # From the driver where there is one: torch's answer would depend on whether the test already started CUDA.
        devices = self._nvml.devices()
        if isinstance(devices, Unavailable):
            cuda = self._backend()
            names = [] if cuda is None else [cuda.get_device_name(index) for index in range(cuda.device_count())]
            return {"gpu": counted(names)} if names else {}
        gpu = _visible(devices, self._environ.get(VISIBLE))
        if not gpu:
            return {}
        driver = self._nvml.driver()
        if isinstance(driver, Unavailable):
            return {"gpu": gpu}
        return {"gpu": gpu, "driver": ".".join(driver.split(".")[:2])}

    @property
    def _torch(self) -> Any:
        return self._modules.get("torch")

    def _backend(self) -> Any:
        # The driver is not asked: what it knows of other runtimes is in `memory`.
        cuda = getattr(self._torch, "cuda", None)  # absent while torch is still being imported
        return cuda if cuda is not None and cuda.is_initialized() else None

    def _indices(self, backend: Any) -> Sequence[int]:
        """Of the devices with a context: synchronising another one would create its context (500 MB)."""
        devices = range(backend.device_count())
        has_context = getattr(self._torch._C, "_cuda_hasPrimaryContext", None)  # noqa: SLF001 - there is no public one
        if has_context is not None:
            return [index for index in devices if has_context(index)]
        current = backend.current_device()
        return [index for index in devices if index == current or backend.memory_reserved(index)]

    def _empty_cache(self, backend: Any) -> None:
        backend.empty_cache()
        clear_workspaces = getattr(self._torch._C, "_cuda_clearCublasWorkspaces", None)  # noqa: SLF001 - no public one
        if clear_workspaces is not None:
            clear_workspaces()

    def _sleep(self, backend: Any) -> Callable[[float], object] | None:
        sleep = getattr(backend, "_sleep", None)
        return None if sleep is None else lambda seconds: sleep(int(seconds * _cycles_per_second(backend)))

    def _torch_memory(self, cuda: Any, index: int) -> GpuMemory:
        uuid = getattr(cuda.get_device_properties(index), "uuid", None)
        device = Unavailable(reason="torch tells no UUID") if uuid is None else self._nvml.find(str(uuid))
        if isinstance(device, Device):
            return with_allocations(self._nvml.memory(device.uuid), cuda, index)
        name = f"cuda:{index}" if uuid is None else f"GPU-{uuid}"
        unknown = GpuMemory(device=name, notes=(f"process memory {device.text()}",))
        return with_allocations(unknown, cuda, index)

    def _driver_memory(self, seen: set[str]) -> list[GpuMemory]:
        """Devices that only the driver knows us to use; without any device at all, one record that says why."""
        in_use = self._nvml.in_use()
        if isinstance(in_use, Unavailable):
            return [] if seen else [_unseen(in_use.reason)]
        if not in_use and not seen:
            return [_unseen("no NVIDIA device lists a process of this test (a container has process ids of its own)")]
        return [self._nvml.memory(device.uuid) for device in in_use if device.uuid not in seen]


def create() -> Accelerator:
    """CUDA and ROCm as this process has them."""
    return Cuda(modules=sys.modules, nvml=Nvml(), environ=os.environ)


def _cycles_per_second(cuda: Any) -> float:
    kilohertz = getattr(cuda.get_device_properties(cuda.current_device()), "clock_rate", 0)
    return kilohertz * 1e3 or USUAL_CLOCK


def _rocm_memory(cuda: Any, index: int) -> GpuMemory:
    free, total = cuda.mem_get_info(index)
    record = GpuMemory(
        device=f"rocm:{index}",
        device_used=total - free,
        device_total=total,
        notes=("process memory unknown: NVML knows no AMD device",),
    )
    return with_allocations(record, cuda, index)


def _unseen(reason: str) -> GpuMemory:
    return GpuMemory(device="NVIDIA", notes=(reason,))


def _visible(devices: Sequence[Device], setting: str | None) -> str:
    """Model and count of the devices that the setting leaves. CUDA's own indices are not NVML's, so only counted."""
    if setting is None:
        return counted(device.name for device in devices)
    wanted = chosen(setting)
    if all(entry.startswith(("GPU-", "MIG-")) for entry in wanted):
        return counted(device.name for entry in wanted for device in devices if device.uuid.startswith(entry))
    models = {device.name for device in devices}
    if len(models) == 1:
        return counted([models.pop()] * min(len(wanted), len(devices)))
    return f"{VISIBLE}={setting} of {counted(device.name for device in devices)}"

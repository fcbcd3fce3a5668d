"""NVIDIA and AMD GPUs: torch waits and counts its tensors, NVML tells what the driver charges."""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from pytest_aiperf.machine.gpu_records import Device, DeviceMemory, Unavailable
from pytest_aiperf.machine.nvml import Nvml
from pytest_aiperf.runtimes.event_timer import EventTimer
from pytest_aiperf.vocabulary.devices import Accelerator, DeviceTimer, GpuMemory

VISIBLE = "CUDA_VISIBLE_DEVICES"
LARGEST_CACHE = 128 * 1024**2
"""Bytes: no device has a larger second-level cache; for a torch that does not tell it."""
USUAL_CLOCK = 1.5e9
"""Cycles per second of a kernel that only waits, where torch does not tell the clock."""


class Cuda(Accelerator):
    """CUDA and ROCm builds of torch; through NVML also runtimes that tell nothing (ONNX Runtime, TensorRT)."""

    def __init__(self, *, modules: Mapping[str, ModuleType], nvml: Nvml, environ: Mapping[str, str]) -> None:
        self._modules = modules
        self._nvml = nvml
        self._environ = environ

    def initialised(self) -> bool:
        # Asked around every timed call, so the driver is not: what it knows of other runtimes is in `memory`.
        return self._started() is not None

    def wait(self) -> None:
        torch = self._started()
        if torch is None:
            return
        for index in _contexts(torch):
            torch.cuda.synchronize(index)

    def reset_peak(self) -> None:
        torch = self._started()
        if torch is None:
            return
        gc.collect()
        self.wait()
        torch.cuda.empty_cache()
        clear_workspaces = getattr(torch._C, "_cuda_clearCublasWorkspaces", None)  # noqa: SLF001 - there is no public one
        if clear_workspaces is not None:
            clear_workspaces()
        for index in _contexts(torch):
            torch.cuda.reset_peak_memory_stats(index)

    def memory(self) -> Sequence[GpuMemory]:
        torch = self._started()
        if torch is not None and torch.version.hip:
            return [_rocm_memory(torch, index) for index in _contexts(torch)]
        counted = [] if torch is None else [self._torch_memory(torch, index) for index in _contexts(torch)]
        return counted + self._driver_memory({record.device for record in counted})

    def timer(self) -> DeviceTimer | None:
        torch = self._started()
        if torch is None or not _contexts(torch):
            return None
        sleep = getattr(torch.cuda, "_sleep", None)
        return EventTimer(
            lambda: torch.cuda.Event(enable_timing=True),
            devices=_contexts(torch),
            on=torch.cuda.device,
            sleep=None if sleep is None else lambda seconds: sleep(int(seconds * _cycles_per_second(torch))),
        )

    def flush(self) -> None:
        torch = self._started()
        if torch is None:
            return
        for index in _contexts(torch):
            size = getattr(torch.cuda.get_device_properties(index), "L2_cache_size", 0) or LARGEST_CACHE
            torch.empty(2 * size, dtype=torch.uint8, device=f"cuda:{index}").zero_()

    def facts(self) -> Mapping[str, str]:
        # From the driver where there is one: torch's answer would depend on whether the test already started CUDA.
        devices = self._nvml.devices()
        if isinstance(devices, Unavailable):
            torch = self._started()
            names = [] if torch is None else [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
            return {"gpu": _counted(names)} if names else {}
        gpu = _visible(devices, self._environ.get(VISIBLE))
        if not gpu:
            return {}
        driver = self._nvml.driver()
        if isinstance(driver, Unavailable):
            return {"gpu": gpu}
        return {"gpu": gpu, "driver": ".".join(driver.split(".")[:2])}

    def _started(self) -> Any:
        torch = self._modules.get("torch")
        cuda = getattr(torch, "cuda", None)  # absent while torch is still being imported
        return torch if cuda is not None and cuda.is_initialized() else None

    def _torch_memory(self, torch: Any, index: int) -> GpuMemory:
        uuid = getattr(torch.cuda.get_device_properties(index), "uuid", None)
        device = Unavailable(reason="torch tells no UUID") if uuid is None else self._nvml.find(str(uuid))
        if isinstance(device, Device):
            told = self._nvml.memory(device.uuid)
            name = device.uuid
        else:
            told = DeviceMemory(process=None, used=None, notes=(f"process memory unknown: {device.reason}",))
            name = f"cuda:{index}" if uuid is None else f"GPU-{uuid}"
        return GpuMemory(
            device=name,
            allocated=torch.cuda.memory_allocated(index),
            allocated_peak=torch.cuda.max_memory_allocated(index),
            reserved=torch.cuda.memory_reserved(index),
            reserved_peak=torch.cuda.max_memory_reserved(index),
            process=told.process,
            device_used=told.used,
            device_total=told.total,
            notes=told.notes,
        )

    def _driver_memory(self, counted: set[str]) -> list[GpuMemory]:
        """Devices that only the driver knows us to use; without any device at all, one record that says why."""
        in_use = self._nvml.in_use()
        if isinstance(in_use, Unavailable):
            return [] if counted else [_unseen(in_use.reason)]
        if not in_use and not counted:
            return [_unseen("no NVIDIA device lists a process of this test (a container has process ids of its own)")]
        records = []
        for device in in_use:
            if device.uuid in counted:
                continue
            told = self._nvml.memory(device.uuid)
            records.append(
                GpuMemory(
                    device=device.uuid,
                    allocated_peak=None,
                    reserved_peak=None,
                    process=told.process,
                    device_used=told.used,
                    device_total=told.total,
                    notes=told.notes,
                )
            )
        return records


def create() -> Accelerator:
    """CUDA and ROCm as this process has them."""
    return Cuda(modules=sys.modules, nvml=Nvml(), environ=os.environ)


def _contexts(torch: Any) -> list[int]:
    """The devices that this process has started: synchronising another one would create its context (500 MB)."""
    devices = range(torch.cuda.device_count())
    has_context = getattr(torch._C, "_cuda_hasPrimaryContext", None)  # noqa: SLF001 - there is no public one
    if has_context is not None:
        return [index for index in devices if has_context(index)]
    current = torch.cuda.current_device()
    return [index for index in devices if index == current or torch.cuda.memory_reserved(index)]


def _cycles_per_second(torch: Any) -> float:
    kilohertz = getattr(torch.cuda.get_device_properties(torch.cuda.current_device()), "clock_rate", 0)
    return kilohertz * 1e3 or USUAL_CLOCK


def _rocm_memory(torch: Any, index: int) -> GpuMemory:
    free, total = torch.cuda.mem_get_info(index)
    return GpuMemory(
        device=f"rocm:{index}",
        allocated=torch.cuda.memory_allocated(index),
        allocated_peak=torch.cuda.max_memory_allocated(index),
        reserved=torch.cuda.memory_reserved(index),
        reserved_peak=torch.cuda.max_memory_reserved(index),
        process=None,
        device_used=total - free,
        device_total=total,
        notes=("process memory unknown: NVML knows no AMD device",),
    )


def _unseen(reason: str) -> GpuMemory:
    return GpuMemory(device="NVIDIA", allocated_peak=None, reserved_peak=None, process=None, notes=(reason,))


def _visible(devices: Sequence[Device], setting: str | None) -> str:
    """Model and count of the devices that the setting leaves. CUDA's own indices are not NVML's, so only counted."""
    if setting is None:
        return _counted(device.name for device in devices)
    wanted = []
    for entry in (part.strip() for part in setting.split(",")):
        if not entry or entry == "-1":
            break  # CUDA ignores what follows an invalid entry
        wanted.append(entry)
    if all(entry.startswith(("GPU-", "MIG-")) for entry in wanted):
        return _counted(device.name for entry in wanted for device in devices if device.uuid.startswith(entry))
    models = {device.name for device in devices}
    if len(models) == 1:
        return _counted([models.pop()] * min(len(wanted), len(devices)))
    return f"{VISIBLE}={setting} of {_counted(device.name for device in devices)}"


def _counted(names: Iterable[str]) -> str:
    return ", ".join(f"{count} x {name}" for name, count in sorted(Counter(names).items()))

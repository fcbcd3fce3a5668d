"""Devices, a driver library and runtimes that say what a test wants; each keeps a log of what it was asked to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from pytest_aiperf.machine.nvml import Nvml

MIB = 1024**2
OWN = 100
"""Process id of the process under test."""
CHILD = 101
STRANGER = 999
INVISIBLE = 998
"""A process outside of this container."""

Processes = Sequence[tuple[int, int | None]]


class FakeNvmlError(Exception):
    """What the driver's library raises."""


class FakeMismatchError(Exception):
    """What it raises under an older driver; not a child of the other."""


@dataclass
class FakeGpu:
    """A device as the driver sees it; an exception in place of a figure is raised."""

    uuid: str
    name: str = "NVIDIA H200"
    compute: Processes | Exception = ()
    mps: Processes | Exception = ()
    graphics: Processes | Exception = ()
    used: int | Exception = 3_000 * MIB
    used_v1: int | Exception = 3_500 * MIB
    total: int = 143_771 * MIB
    clock: int = 1980
    throttle: int = 0
    persistent: int | Exception = 1
    milliwatts: int | Exception = 312_000
    millijoules: int | Exception = 5_000_000
    instances: Sequence[FakeGpu | None] = ()


class FakePynvml:
    """The functions of `pynvml` that are used, over given devices."""

    NVMLError = FakeNvmlError
    NVMLLibraryMismatchError = FakeMismatchError
    nvmlMemory_v2 = 2  # noqa: N815 - the library's own spelling
    NVML_CLOCK_SM = 1

    def __init__(self, *devices: FakeGpu, driver: str = "570.124.06", fails: Exception | None = None) -> None:
        self.devices = list(devices)
        self.driver = driver
        self.fails = fails
        self.lost: Exception | None = None
        """Raised by every question once set."""
        self.log: list[str] = []

    def nvmlInit(self) -> None:  # noqa: N802 - the library's own spelling, like all below
        self.log.append("init")
        if self.fails:
            raise self.fails

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.log.append("shutdown")
        self._answer(None)

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return self._answer(self.driver)

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self._answer(len(self.devices))

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:  # noqa: N802
        return self._answer(self.devices[index])

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> FakeGpu:  # noqa: N802
        instances = [instance for device in self.devices for instance in device.instances if instance]
        for device in (*self.devices, *instances):
            if device.uuid == uuid:
                return self._answer(device)
        raise FakeNvmlError("Not Found")

    def nvmlDeviceGetUUID(self, handle: FakeGpu) -> str:  # noqa: N802
        return self._answer(handle.uuid)

    def nvmlDeviceGetName(self, handle: FakeGpu) -> str:  # noqa: N802
        return self._answer(handle.name)

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: FakeGpu) -> int:  # noqa: N802
        return self._answer(len(handle.instances) if handle.instances else FakeNvmlError("Not Supported"))

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: FakeGpu, index: int) -> FakeGpu:  # noqa: N802
        return self._answer(handle.instances[index] or FakeNvmlError("Not Found"))

    def nvmlDeviceGetComputeRunningProcesses(self, handle: FakeGpu) -> list[Any]:  # noqa: N802
        return self._processes(handle.compute)

    def nvmlDeviceGetMPSComputeRunningProcesses(self, handle: FakeGpu) -> list[Any]:  # noqa: N802
        return self._processes(handle.mps)

    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: FakeGpu) -> list[Any]:  # noqa: N802
        return self._processes(handle.graphics)

    def nvmlDeviceGetMemoryInfo(self, handle: FakeGpu, version: int | None = None) -> Any:  # noqa: N802
        used = self._answer(handle.used if version == self.nvmlMemory_v2 else handle.used_v1)
        return SimpleNamespace(used=used, total=handle.total)

    def nvmlDeviceGetClockInfo(self, handle: FakeGpu, kind: int) -> int:  # noqa: N802
        return self._answer(handle.clock)

    def nvmlDeviceGetMaxClockInfo(self, handle: FakeGpu, kind: int) -> int:  # noqa: N802
        return self._answer(1980)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: FakeGpu) -> int:  # noqa: N802
        return self._answer(handle.throttle)

    def nvmlDeviceGetPowerUsage(self, handle: FakeGpu) -> int:  # noqa: N802
        return self._answer(handle.milliwatts)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: FakeGpu) -> int:  # noqa: N802
        return self._answer(handle.millijoules)

    def nvmlDeviceGetPersistenceMode(self, handle: FakeGpu) -> int:  # noqa: N802
        return self._answer(handle.persistent)

    def _processes(self, listed: Processes | Exception) -> list[Any]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=used) for pid, used in self._answer(listed)]

    def _answer(self, value: Any) -> Any:
        if self.lost:
            raise self.lost
        if isinstance(value, Exception):
            raise value
        return value


def nvml(*devices: FakeGpu, **driver: Any) -> Nvml:
    """The driver over these devices, asked on behalf of `OWN` and `CHILD`."""
    return nvml_over(FakePynvml(*devices, **driver))


def nvml_over(library: FakePynvml) -> Nvml:
    return Nvml(load=lambda: library, pids=lambda: frozenset({OWN, CHILD}), visible=lambda pid: pid != INVISIBLE)


def without_driver() -> Nvml:
    return nvml(fails=FakeNvmlError("NVML Shared Library Not Found"))


@dataclass
class FakeTorchDevice:
    """One device of a fake runtime; `uuid` without its prefix, as torch gives it."""

    uuid: str | None = None
    allocated: int = 0
    reserved: int = 0
    held: int = 0
    """Allocated at this moment; `allocated` is the peak."""
    cached: int = 0
    """Reserved at this moment; `reserved` is the peak."""
    context: bool = True
    name: str = "NVIDIA H200"
    driver_version: str = "1.6.33578"
    milliseconds: float = 0.0
    cache: int | None = None
    """Bytes of its second-level cache, where torch tells it."""


@dataclass
class FakeEvent:
    """An event that knows on which device it was recorded; between two of them lie `milliseconds` of that device."""

    owner: FakeTorchDevices
    place: int = -1

    def record(self) -> None:
        self.place = self.owner.current
        self.owner.log.append(f"record {self.place}")

    def elapsed_time(self, second: FakeEvent) -> float:
        assert self.place == second.place, "events of two devices have no time between them"
        return self.owner.devices[self.place].milliseconds


@dataclass
class FakeTorchDevices:
    """`torch.cuda` or `torch.xpu`."""

    devices: Sequence[FakeTorchDevice] = ()
    initialised: bool = True
    current: int = 0
    log: list[str] = field(default_factory=list)

    def is_initialized(self) -> bool:
        return self.initialised

    def device_count(self) -> int:
        return len(self.devices)

    def current_device(self) -> int:
        return self.current

    def synchronize(self, index: int) -> None:
        self.log.append(f"synchronize {index}")

    def empty_cache(self) -> None:
        self.log.append("empty_cache")

    def reset_peak_memory_stats(self, index: int) -> None:
        self.log.append(f"reset {index}")

    def max_memory_allocated(self, index: int) -> int:
        return self.devices[index].allocated

    def memory_allocated(self, index: int) -> int:
        return self.devices[index].held

    def max_memory_reserved(self, index: int) -> int:
        return self.devices[index].reserved

    def memory_reserved(self, index: int) -> int:
        return self.devices[index].cached

    def mem_get_info(self, index: int) -> tuple[int, int]:
        return 60 * MIB, 64 * MIB

    def Event(self, *, enable_timing: bool) -> FakeEvent:  # noqa: N802
        assert enable_timing
        return FakeEvent(self)

    @contextmanager
    def device(self, index: int) -> Iterator[None]:
        before, self.current = self.current, index
        yield
        self.current = before

    def get_device_name(self, index: int) -> str:
        return self.devices[index].name

    def get_device_properties(self, index: int) -> Any:
        device = self.devices[index]
        told: dict[str, Any] = {"name": device.name, "driver_version": device.driver_version, "clock_rate": 2_000_000}
        if device.cache is not None:
            told["L2_cache_size"] = device.cache
        return SimpleNamespace(**told, **({} if device.uuid is None else {"uuid": device.uuid}))


def torch_with_cuda(
    *devices: FakeTorchDevice, initialised: bool = True, hip: str | None = None, private: bool = True
) -> Any:
    """A torch built for CUDA; `private` says whether it has the private functions that newer versions have."""
    cuda = FakeTorchDevices(devices=devices, initialised=initialised)
    inner = SimpleNamespace()
    if private:
        inner._cuda_hasPrimaryContext = lambda index: devices[index].context
        inner._cuda_clearCublasWorkspaces = lambda: cuda.log.append("clear workspaces")
        cuda._sleep = lambda cycles: cuda.log.append(f"sleep {cycles} on {cuda.current}")

    def empty(size: int, *, dtype: str, device: str) -> Any:
        return SimpleNamespace(zero_=lambda: cuda.log.append(f"zero {size} x {dtype} on {device}"))

    return SimpleNamespace(cuda=cuda, version=SimpleNamespace(hip=hip), _C=inner, empty=empty, uint8="uint8")


def torch_with_xpu(*devices: FakeTorchDevice, initialised: bool = True) -> Any:
    return SimpleNamespace(xpu=FakeTorchDevices(devices=devices, initialised=initialised))


def torch_with_mps(*, available: bool = True, held: int = 0) -> Any:
    log: list[str] = []
    place = FakeTorchDevices(devices=[FakeTorchDevice(milliseconds=7.0)], log=log)
    mps = SimpleNamespace(
        log=log,
        event=SimpleNamespace(Event=place.Event),
        driver_allocated_memory=lambda: held,
        synchronize=lambda: log.append("synchronize"),
        empty_cache=lambda: log.append("empty_cache"),
    )
    backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: available))
    return SimpleNamespace(mps=mps, backends=backends)


def jax_modules(platforms: Mapping[str, Sequence[Any]], *, started: bool = True) -> tuple[dict[str, Any], list[str]]:
    """The two modules of JAX with the devices of each platform, and the log of what was waited for."""
    log: list[str] = []
    jax = SimpleNamespace(
        effects_barrier=lambda: log.append("effects"),
        live_arrays=lambda platform: f"arrays on {platform}",
        block_until_ready=log.append,
        local_devices=lambda backend: list(platforms[backend]),
    )
    bridge = SimpleNamespace(backends_are_initialized=lambda: started, backends=lambda: platforms)
    return {"jax": jax, "jax._src.xla_bridge": bridge}, log


def jax_device(index: int = 0, *, kind: str = "cpu", memory: Mapping[str, int] | None = None) -> Any:
    return SimpleNamespace(id=index, device_kind=kind, memory_stats=lambda: memory)

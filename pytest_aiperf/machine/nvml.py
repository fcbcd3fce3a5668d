"""What NVIDIA's driver says of its devices; any question may be answered by `Unavailable`."""

from __future__ import annotations

import contextlib
import functools
import itertools
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from pytest_aiperf.machine.gpu_records import SLOWDOWNS, Condition, Device, Unavailable
from pytest_aiperf.vocabulary.devices import DevicesSeen, GpuMemory

Answer = TypeVar("Answer")

VISIBLE = "CUDA_VISIBLE_DEVICES"
OTHER_LISTS = ("nvmlDeviceGetMPSComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses")
"""Beside the compute list; they overlap with it, and not every driver knows them."""


def import_pynvml() -> Any:
    """The driver's library as the module `pynvml` (distribution nvidia-ml-py)."""
    import pynvml

    return pynvml


def is_visible(pid: int) -> bool:
    """Whether a process id of the driver's means anything here; in a container of its own it does not."""
    import psutil

    return bool(psutil.pid_exists(pid))


def chosen(setting: str) -> list[str]:
    """Entries of CUDA_VISIBLE_DEVICES; CUDA ignores what follows an invalid one."""
    entries = (entry.strip() for entry in setting.split(","))
    return list(itertools.takewhile(lambda entry: entry not in {"", "-1"}, entries))


def own_pids() -> frozenset[int]:
    """This process and everything it has started."""
    import psutil

    process = psutil.Process()
    return frozenset({process.pid, *(child.pid for child in process.children(recursive=True))})


@dataclass(kw_only=True, eq=False)
class Nvml:
    """Opens the library at the first question, once, and closes it when it is dropped or at exit."""

    load: Callable[[], Any] = import_pynvml
    pids: Callable[[], frozenset[int]] = own_pids
    visible: Callable[[int], bool] = is_visible
    _library: Any = field(init=False, default=None)
    _shutdown: Callable[[], object] | None = field(init=False, default=None)

    def close(self) -> None:
        """Shut the library down, if it was ever opened; the next question opens it again."""
        if self._shutdown is not None:
            self._shutdown()
        self._library = self._shutdown = None

    def devices(self) -> tuple[Device, ...] | Unavailable:
        """Every GPU of the machine; the instances of a partitioned one instead of itself."""
        return self._ask(lambda nvml: tuple(_device(nvml, handle) for handle in _handles(nvml)))

    def driver(self) -> str | Unavailable:
        """The driver's version, in full."""
        return self._ask(lambda nvml: str(nvml.nvmlSystemGetDriverVersion()))

    def find(self, uuid: str) -> Device | Unavailable:
        """The device of a UUID, given with or without its prefix."""
        prefixes = ("",) if uuid.startswith(("GPU-", "MIG-")) else ("GPU-", "MIG-")
        answers = [self._ask_of(prefix + uuid, _device) for prefix in prefixes]
        return next((answer for answer in answers if isinstance(answer, Device)), answers[0])

    def in_use(self) -> tuple[Device, ...] | Unavailable:
        """The devices on which the driver lists this process or a child of it."""
        devices = self.devices()
        if isinstance(devices, Unavailable) or not devices:
            return devices
        pids = self.pids()
        listed = {device: self._ask_of(device.uuid, _bytes_by_pid) for device in devices}
        deaf = [answer for answer in listed.values() if isinstance(answer, Unavailable)]
        used = [device for device, answer in listed.items() if isinstance(answer, dict) and answer.keys() & pids]
        return tuple(used) if used or not deaf else deaf[0]  # one that keeps no list must not hide the others

    def memory(self, uuid: str) -> GpuMemory:
        """What the driver charges on the device with this full UUID, to this process and its children."""
        pids = self.pids()
        process, process_note = _bytes_or_reason(self._ask_of(uuid, partial(_own_bytes, pids=pids)))
        told = self._ask_of(uuid, _used_and_total)
        used, total, used_note = (None, None, f"device memory {told.text()}") if isinstance(told, Unavailable) else told
        notes = tuple(note for note in (process_note, used_note) if note)
        return GpuMemory(device=uuid, process=process, device_used=used, device_total=total, notes=notes)

    def conditions(self) -> Mapping[str, Condition | Unavailable]:
        """What may slow each device down at this moment; by UUID, empty without a driver."""
        pids = functools.cache(self.pids)  # once for all devices, never without one
        return self._ask_of_each(
            lambda nvml, handle: _condition(nvml, handle, pids=pids(), visible=self.visible),
        )

    def joules(self, uuid: str) -> float | Unavailable:
        """Energy that a device has taken since its driver was loaded."""
        return self._ask_of(uuid, lambda nvml, handle: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3)

    def persistence(self) -> Mapping[str, bool | Unavailable]:
        """Whether the driver keeps each device ready while nobody uses it; by UUID, empty without a driver."""
        return self._ask_of_each(lambda nvml, handle: bool(nvml.nvmlDeviceGetPersistenceMode(handle)))

    def _ask_of_each(self, question: Callable[[Any, Any], Answer]) -> dict[str, Answer | Unavailable]:
        devices = self.devices()
        told = () if isinstance(devices, Unavailable) else devices
        return {device.uuid: self._ask_of(device.uuid, question) for device in told}

    def _ask_of(self, uuid: str, question: Callable[[Any, Any], Answer]) -> Answer | Unavailable:
        return self._ask(lambda nvml: question(nvml, nvml.nvmlDeviceGetHandleByUUID(uuid)))

    def _ask(self, question: Callable[[Any], Answer]) -> Answer | Unavailable:
        if self._library is None:
            self._library = self._open()
        nvml = self._library
        if isinstance(nvml, Unavailable):
            return nvml
        try:
            return question(nvml)
        except _errors(nvml) as error:
            return Unavailable(reason=f"NVML: {error}")

    def _open(self) -> Any:
        try:
            nvml = self.load()
        except (ImportError, OSError) as error:
            return Unavailable(reason=f"NVML cannot be loaded (install nvidia-ml-py): {error}")
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            return Unavailable(reason=f"NVML cannot start: {error}")
        self._shutdown = weakref.finalize(self, _shut_down, nvml)
        return nvml


class NvmlConditions:
    """As NVIDIA's driver tells them; without one there is nothing to tell."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml

    def seen(self) -> DevicesSeen:
        used = self._used()
        conditions = self._nvml.conditions() if used else {}
        known = {uuid: conditions[uuid] for uuid in used if uuid in conditions}
        answered = {uuid: condition for uuid, condition in known.items() if isinstance(condition, Condition)}
        watts = [condition.watts for condition in answered.values() if condition.watts is not None]
        return DevicesSeen(
            facts={uuid: condition.text() for uuid, condition in known.items()},
            disturbances=tuple(text for uuid, condition in answered.items() for text in condition.disturbances(uuid)),
            megahertz=min((float(condition.clock_mhz) for condition in answered.values()), default=None),
            watts=sum(watts) if watts and len(watts) == len(known) else None,
        )

    def joules(self) -> float | None:
        counted = [self._nvml.joules(uuid) for uuid in self._used()]
        known = [joules for joules in counted if not isinstance(joules, Unavailable)]
        return sum(known) if known and len(known) == len(counted) else None

    def _used(self) -> list[str]:
        """Those that list this process; in a container, whose process ids the driver does not know, an only one."""
        listed, every = self._nvml.in_use(), self._nvml.devices()
        if not isinstance(listed, Unavailable) and listed:
            return [device.uuid for device in listed]
        return [] if isinstance(every, Unavailable) or len(every) > 1 else [device.uuid for device in every]


def _errors(nvml: Any) -> tuple[type[Exception], ...]:
    # The second one, no child of the first, is what a driver older than the binding causes.
    return nvml.NVMLError, getattr(nvml, "NVMLLibraryMismatchError", nvml.NVMLError)


def _shut_down(nvml: Any) -> None:
    with contextlib.suppress(nvml.NVMLError):  # a driver that went away meanwhile needs no shutting down
        nvml.nvmlShutdown()


def _handles(nvml: Any) -> Iterator[Any]:
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        yield from _instances(nvml, handle) or [handle]


def _instances(nvml: Any, handle: Any) -> list[Any]:
    try:
        slots = nvml.nvmlDeviceGetMaxMigDeviceCount(handle)
    except _errors(nvml):
        return []
    found = []
    for slot in range(slots):
        with contextlib.suppress(*_errors(nvml)):  # an empty slot is "not found"
            found.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, slot))
    return found


def _device(nvml: Any, handle: Any) -> Device:
    return Device(uuid=str(nvml.nvmlDeviceGetUUID(handle)), name=str(nvml.nvmlDeviceGetName(handle)))


def _bytes_by_pid(nvml: Any, handle: Any) -> dict[int, int | None]:
    """Each process once, though it may be on several lists; None where the driver tells no bytes."""
    listed = list(nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    for name in OTHER_LISTS:
        with contextlib.suppress(*_errors(nvml)):
            listed += getattr(nvml, name)(handle)
    found: dict[int, int | None] = {}
    for entry in listed:
        known = [value for value in (found.get(entry.pid), entry.usedGpuMemory) if value is not None]
        found[entry.pid] = max(known, default=None)
    return found


def _own_bytes(nvml: Any, handle: Any, *, pids: frozenset[int]) -> int | Unavailable:
    listed = _bytes_by_pid(nvml, handle)
    own = [listed[pid] for pid in sorted(listed.keys() & pids)]
    if not own:
        return Unavailable(reason="the driver lists no process of this test (a container has process ids of its own)")
    known = [value for value in own if value is not None]
    if len(known) < len(own):
        return Unavailable(reason="the driver does not tell it per process (unified memory, MIG or WDDM)")
    return sum(known)


def _bytes_or_reason(answer: int | Unavailable) -> tuple[int | None, str]:
    return (None, f"process memory {answer.text()}") if isinstance(answer, Unavailable) else (answer, "")


def _used_and_total(nvml: Any, handle: Any) -> tuple[int, int, str]:
    """And a note where an older driver tells only what includes more."""
    try:
        told, note = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2), ""
    except _errors(nvml):
        told = nvml.nvmlDeviceGetMemoryInfo(handle)
        note = "device memory includes the driver's own reserve (NVML memory info v1)"
    return int(told.used), int(told.total), note


def _condition(nvml: Any, handle: Any, *, pids: frozenset[int], visible: Callable[[int], bool]) -> Condition:
    clock = nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)
    fastest = nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM)
    reasons = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
    return Condition(
        clock_mhz=clock,
        fastest_mhz=fastest,
        throttled=tuple(reason for bit, reason in SLOWDOWNS.items() if reasons & bit),
        others=sum(map(visible, _bytes_by_pid(nvml, handle).keys() - pids)),
        watts=_watts(nvml, handle),
    )


def _watts(nvml: Any, handle: Any) -> float | None:
    try:
        return float(nvml.nvmlDeviceGetPowerUsage(handle) / 1e3)
    except _errors(nvml):  # not every device tells it; the rest of its condition counts all the same
        return None

"""How a device behaves, what is seen of it, and all devices of a process asked as one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuMemory:
    """Bytes of one device (by UUID where the driver knows it); None where it cannot be known."""

    device: str
    allocated_peak: int | None = None
    reserved_peak: int | None = None
    process: int | None = None
    device_used: int | None = None
    """Of all processes."""
    device_total: int | None = None
    allocated: int | None = None
    """At this moment, as the allocator counts."""
    reserved: int | None = None
    """At this moment: what the allocator holds, handed out or not."""
    notes: tuple[str, ...] = ()


class Accelerator(ABC):
    """How a device is waited for and asked. Imports its runtime never, its driver library late.

    A member must say `initialised` and `wait`; what it does not know is left to these answers.
    """

    @abstractmethod
    def initialised(self) -> bool:
        """Whether this process has already started the device through a runtime it imported."""

    @abstractmethod
    def wait(self) -> None:
        """Block until everything queued by this process has finished."""

    def reset_peak(self) -> None:
        """Collect, empty caches and restart the peak counters."""

    def memory(self) -> Sequence[GpuMemory]:
        """One record per device that this process uses."""
        return ()

    def timer(self) -> DeviceTimer | None:
        """A clock of its own; None where it has none, or was not started."""
        return None

    def flush(self) -> None:
        """Push everything out of its last-level cache; nothing where that cannot be done."""

    def facts(self) -> Mapping[str, str]:
        """Comparable facts: device model and count, driver x.y. Empty without a device."""
        return {}


class DeviceTimer(Protocol):
    """A device's own clock, around work that is queued on its current stream."""

    def hold(self, seconds: float) -> None:
        """Keep the device busy for about so long, so that work piles up behind; nothing where that cannot be done."""

    def start(self) -> None:
        """Queue the first reading."""

    def stop(self) -> None:
        """Queue the second one."""

    def seconds(self) -> float:
        """Between both, once the device has been waited for; the largest of several devices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicesSeen:
    """How devices did during a section."""

    facts: Mapping[str, str]
    """UUID -> clock, throttling, power and other processes, for people."""
    disturbances: tuple[str, ...]
    megahertz: float | None = None
    """Of the slowest of them."""
    watts: float | None = None
    """Of all of them."""


class DeviceConditions(Protocol):
    """What the driver says of the devices that this process uses."""

    def seen(self) -> DevicesSeen:
        """At this moment."""

    def joules(self) -> float | None:
        """Energy that they have taken together, since some moment; None where the driver does not count it."""


class Devices(tuple[Accelerator, ...]):
    """All accelerators of a process as one; those that it has not started are left alone."""

    __slots__ = ()

    def started(self) -> Devices:
        """Those that this process has started, and which may queue its calls."""
        return Devices(one for one in self if one.initialised())

    def wait(self) -> None:
        """Block until everything queued by this process has finished."""
        for one in self:
            if one.initialised():
                one.wait()

    def flush(self) -> None:
        """Push everything out of their last-level caches."""
        for one in self.started():
            one.flush()

    def reset_peaks(self) -> None:
        """Collect, empty caches and restart the peak counters."""
        for one in self.started():
            one.reset_peak()

    def memory(self) -> list[GpuMemory]:
        """One record per device in use, those of runtimes included that only a driver knows."""
        return [record for one in self for record in one.memory()]

    def held(self) -> tuple[int | None, int | None]:
        """Bytes at this moment on all devices: by the allocators, and by the driver; None where none knows."""
        records = self.memory()
        allocated = [record.allocated for record in records if record.allocated is not None]
        process = [record.process for record in records if record.process is not None]
        return sum(allocated) if allocated else None, sum(process) if process else None

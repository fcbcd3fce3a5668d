"""The fixture `aiperf_gpu`: one test at a time on a GPU, once it has enough free memory."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from pytest_aiperf.machine.gpu_records import Unavailable
from pytest_aiperf.machine.nvml import VISIBLE, Nvml, chosen
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.devices import Devices
from pytest_aiperf.vocabulary.errors import AiperfError
from pytest_aiperf.vocabulary.terms import Unit

HELD_VARIABLE = "PYTEST_AIPERF_GPU_HELD"
"""Set while this process holds its GPUs: what it starts does not wait for them."""
LOOK_SECONDS = 0.5
"""Between two looks at the lock, and at the free memory."""


class NoGpuError(AiperfError):
    """There is no GPU on this machine; the message says how that was found."""


class GpuBusyError(AiperfError):
    """A GPU was not free, or had too little memory, for too long; the message says who holds it."""


@dataclass(frozen=True, kw_only=True)
class GpuSlot:
    """Locks the GPUs that this process sees; all that it touches are arguments."""

    folder: Path
    nvml: Nvml
    devices: Devices
    modules: Mapping[str, ModuleType]
    environ: MutableMapping[str, str]
    timeout: float
    """Longest wait, in seconds, for the turn and for the memory together."""
    aside: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext
    """Around waiting: lets tests that time something go on meanwhile."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep

    @contextmanager
    def hold(self, free: float = 0.0) -> Iterator[tuple[str, ...]]:
        """Keep the GPUs for one test, once each has `free` bytes; gives their names.

        Raises NoGpuError, and GpuBusyError where that takes longer than the timeout.
        """
        names = self._names()
        if HELD_VARIABLE in self.environ:
            yield names
            return
        until = self.clock() + self.timeout
        with ExitStack() as locks:
            with self.aside():
                for name in names:
                    self._acquire(name, until, locks)
                self._wait_for_memory(free, until)
            self.environ[HELD_VARIABLE] = str(os.getpid())
            try:
                yield names
            finally:
                del self.environ[HELD_VARIABLE]
                self.devices.reset_peaks()  # caches that the test filled, before the next test looks

    def _names(self) -> tuple[str, ...]:
        """Entries of CUDA_VISIBLE_DEVICES, so that workers with a GPU each do not wait for one another; else all."""
        devices = self.nvml.devices()
        if isinstance(devices, Unavailable):
            if not _usable_by_torch(self.modules.get("torch")):
                raise NoGpuError(f"aiperf_gpu: there is no GPU here: {devices.reason}")
            return ("gpu",)
        setting = self.environ.get(VISIBLE)
        names = map(str, range(len(devices))) if setting is None else chosen(setting)
        if not names:
            raise NoGpuError(f"aiperf_gpu: there is no GPU here: {VISIBLE}={setting}, the driver has {len(devices)}")
        return tuple(sorted(names))

    def _acquire(self, name: str, until: float, locks: ExitStack) -> None:
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / f"gpu-{quote(name, safe='')}.lock")
        wait = max(0.0, until - self.clock())
        try:
            locks.enter_context(lock.acquire(timeout=wait, poll_interval=LOOK_SECONDS))
        except Timeout:
            raise GpuBusyError(
                f"aiperf_gpu: GPU {name} was in use by another test for {self.timeout:.0f} s "
                "(aiperf_gpu_timeout says how long to wait)"
            ) from None

    def _wait_for_memory(self, free: float, until: float) -> None:
        while too_full := self._too_full(free):
            if self.clock() >= until:
                raise GpuBusyError(
                    f"aiperf_gpu: {units.text(free, Unit.BYTES)} did not become free in {self.timeout:.0f} s: "
                    f"{too_full} (nvidia-smi shows whose it is; aiperf_gpu_timeout says how long to wait)"
                )
            self.sleep(LOOK_SECONDS)

    def _too_full(self, free: float) -> str:
        """Which visible devices have less, and how much; of several not chosen by UUID, one with room will do."""
        devices = self.nvml.devices()
        if free <= 0 or isinstance(devices, Unavailable):
            return ""
        wanted = tuple(chosen(self.environ.get(VISIBLE, "")))
        named = [device for device in devices if device.uuid.startswith(wanted)]
        left = {device.uuid: self._left(device.uuid) for device in named or devices}
        full = {uuid: size for uuid, size in left.items() if size is not None and size < free}
        if not named and len(full) < len(left):
            return ""
        return ", ".join(f"{uuid} has {units.text(size, Unit.BYTES)}" for uuid, size in full.items())

    def _left(self, uuid: str) -> int | None:
        memory = self.nvml.memory(uuid)
        used, total = memory.device_used, memory.device_total
        return None if used is None or total is None else total - used


def _usable_by_torch(torch: Any) -> bool:
    """Whether a torch that was imported anyway sees a device that NVML does not know."""
    if torch is None:
        return False
    mps = getattr(getattr(torch, "backends", None), "mps", None)
    backends = (getattr(torch, "cuda", None), getattr(torch, "xpu", None), mps)
    return any(backend is not None and backend.is_available() for backend in backends)

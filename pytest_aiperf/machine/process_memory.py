"""The kernel's account of this process's memory, in bytes."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_aiperf.machine import cgroup, procfs
from pytest_aiperf.vocabulary.contracts import CpuMemory

RESTART_PEAK = "5"
"""What the kernel wants written to `clear_refs` to set VmHWM back to the present (proc(5))."""

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_QUIET_BYTES = 1 << 30


class LinuxMemory:
    """VmHWM less the file pages mapped when it is read.

    VmHWM counts every resident page, clean file pages too, and the kernel keeps no peak of anonymous memory alone. So
    the peak is taken as VmHWM less the file pages mapped at the moment of asking, and never less than what is there
    now. That is exact while the mapped files stay the same between the peak and the question: buffers freed before the
    end are counted, mmap-ed weights that are kept are not. Files unmapped after the peak make it too large. Files
    mapped after the peak make it too small; asking at the end of each phase bounds that, because the largest answer
    since the reset is kept. A sampling thread would know better, and disturb the load time taken in the same process.
    """

    def __init__(self, proc: Path = Path("/proc/self"), library: Callable[[None], Any] = ctypes.CDLL) -> None:
        self._proc = proc
        self._library = library
        self._largest = 0
        self._since = "the process started"

    def reset_peak(self) -> bool:
        self._largest = 0
        try:
            (self._proc / "clear_refs").write_text(RESTART_PEAK, encoding="ascii")
        except OSError:
            return False
        self._since = "the reset"
        return True

    def peak(self) -> int | None:
        highest = procfs.kilobytes(self._proc / "status").get("VmHWM")
        present = self._present()
        if highest is None or present is None:
            return None
        taken, mapped = present
        self._largest = max(self._largest, highest - mapped, taken)
        return self._largest

    def now(self) -> int:
        present = self._present()
        return procfs.kilobytes(self._proc / "status").get("VmRSS", 0) if present is None else present[0]

    def give_back(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # another C library has no such function
            self._library(None).malloc_trim(0)

    def glance(self) -> int:
        # `smaps_rollup` walks all pages, which takes milliseconds; these counters lag by a few pages and cost nothing.
        status = procfs.kilobytes(self._proc / "status")
        return status.get("RssAnon", status.get("VmRSS", 0)) + status.get("RssShmem", 0)

    def free(self) -> int | None:
        root = self._proc.parent.parent
        machine = procfs.kilobytes(root / "proc/meminfo").get("MemAvailable")
        return min((left for left in (machine, cgroup.memory_left(root)) if left is not None), default=None)

    def file_backed(self) -> int | None:
        present = self._present()
        return None if present is None else present[1]

    def method(self) -> str:
        if self._present() is None:
            return "VmRSS: this kernel does not tell file pages from anonymous ones, nor a peak"
        return f"VmHWM less file pages, since {self._since}"

    def _present(self) -> tuple[int, int] | None:
        """Anonymous and shared bytes, file bytes; None where the kernel does not tell them apart."""
        status = procfs.kilobytes(self._proc / "status")
        shared = status.get("RssShmem")
        if shared is None or "RssAnon" not in status:
            return None
        exact = procfs.kilobytes(self._proc / "smaps_rollup")
        if "Rss" not in exact or "Anonymous" not in exact:
            return status["RssAnon"] + shared, status["RssFile"]
        # Counted page by page: the counters of `status` may lag by 64 pages per thread or processor.
        return exact["Anonymous"] + shared, max(0, exact["Rss"] - exact["Anonymous"] - shared)


class ResidentMemory:
    """For systems that only keep a peak of the whole process and cannot restart it."""

    def __init__(
        self, *, peak: Callable[[], int], resident: Callable[[], int] = lambda: _account().rss, counter: str
    ) -> None:
        self._peak = peak
        self._resident = resident
        self._counter = counter

    def reset_peak(self) -> bool:
        return False

    def peak(self) -> int | None:
        return self._peak()

    def now(self) -> int:
        return self._resident()

    def give_back(self) -> None:
        """Nothing is known to do so here."""

    def glance(self) -> int:
        return self._resident()

    def free(self) -> int | None:
        import psutil

        return int(psutil.virtual_memory().available)

    def file_backed(self) -> int | None:
        return None

    def method(self) -> str:
        return f"{self._counter}, file pages included, since the process started"


def create(platform: str = sys.platform) -> CpuMemory:
    """The account that this system keeps."""
    if platform == "linux":
        return LinuxMemory()
    if platform == "win32":
        return ResidentMemory(peak=lambda: _account().peak_wset, counter="peak working set")
    return ResidentMemory(peak=_largest_resident, counter="ru_maxrss")


def quieten_malloc(library: Callable[[None], Any] = ctypes.CDLL) -> bool:
    """Keep glibc from mapping and unmapping every large buffer: in a virtual machine those page faults are the noise.

    False where the C library has no `mallopt`.
    """
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError, AttributeError):
        mallopt = library(None).mallopt
        return bool(mallopt(_M_MMAP_THRESHOLD, _QUIET_BYTES) and mallopt(_M_TRIM_THRESHOLD, _QUIET_BYTES))
    return False


def _largest_resident() -> int:
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024  # macOS alone counts bytes


def _account() -> Any:
    import psutil

    return psutil.Process().memory_info()

"""What this machine's processor can do, how much of it is ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_aiperf.machine import cgroup, procfs


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """Cores that this process may use, and names of instruction sets."""

    cores: float
    flags: frozenset[str] = frozenset()
    """As /proc/cpuinfo spells them (`avx512_vnni`); empty where the system does not say."""


def here(root: Path = Path("/")) -> Processor:
    """This machine. x86 calls instruction sets flags, Arm features."""
    core = procfs.first_core(root)
    return Processor(cores=usable_cores(root), flags=frozenset(core.get("flags", core.get("Features", "")).split()))


def processors() -> int:
    """Logical processors of the whole machine, those outside this process's reach too."""
    import psutil

    return psutil.cpu_count() or 1


def visible_cores() -> int:
    """Logical cores on which the scheduler may run this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usable_cores(root: Path, visible: Callable[[], int] = visible_cores) -> float:
    """Cores that affinity and the container's quota leave to this process."""
    quota = cgroup.cpu_quota(root)
    return visible() if quota is None else min(quota, visible())

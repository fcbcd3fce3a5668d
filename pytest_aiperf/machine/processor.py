"""What this machine's processor can do, as far as it says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pytest_aiperf.machine import cgroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """Cores that this process may use, and names of instruction sets."""

    cores: float
    flags: frozenset[str] = frozenset()
    """As /proc/cpuinfo spells them (`avx512_vnni`); empty where the system does not say."""


def here(root: Path = Path("/")) -> Processor:
    """This machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup.cpu_quota(root)
    return Processor(cores=cores if quota is None else min(quota, cores), flags=flags(root))


def flags(root: Path) -> frozenset[str]:
    """Instruction sets of the first core; x86 calls them flags, Arm features."""
    try:
        lines = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    named = (line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features")))
    return frozenset(next(named, ()))

"""What a container leaves of the processor and of the memory: cgroup v2 and v1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pytest_aiperf.machine import procfs


def cpu_quota(root: Path) -> float | None:
    """Cores that the tightest enclosing group may use; None without a quota."""
    quotas = [quota for group in _groups(root) if (quota := _quota(group)) is not None]
    return min(quotas, default=None)


def throttled(root: Path) -> tuple[int, float] | None:
    """Periods in which this group was throttled, and for how many seconds, since it exists; None where unknown."""
    for group in _groups(root):
        counters = procfs.counters(group / "cpu.stat")
        if "nr_throttled" in counters:
            microseconds = counters.get("throttled_usec", counters.get("throttled_time", 0) / 1000)
            return counters["nr_throttled"], microseconds * 1e-6
    return None


def memory_left(root: Path) -> int | None:
    """Bytes that the tightest enclosing group may still take; None without a limit."""
    left = [room for group in _groups(root, "memory") if (room := _memory_left(group)) is not None]
    return min(left, default=None)


def _groups(root: Path, controller: str = "cpu") -> Iterator[Path]:
    """Directories of this process's group and of those around it, innermost first."""
    for line in procfs.text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):  # v2 names none, and has them all in one place
            continue
        inside = PurePosixPath(path.lstrip("/"))
        for group in (inside, *inside.parents):  # a path that the container does not see falls through to the mount
            yield root / "sys/fs/cgroup" / controllers / group


def _memory_left(group: Path) -> int | None:
    together = procfs.text(group / "memory.max"), procfs.text(group / "memory.current")  # "max" without a limit
    apart = procfs.text(group / "memory.limit_in_bytes"), procfs.text(group / "memory.usage_in_bytes")
    most, used = (text.strip() for text in (together if together[0] else apart))
    return max(0, int(most) - int(used)) if most.isdigit() and used.isdigit() else None


def _quota(group: Path) -> float | None:
    together = procfs.text(group / "cpu.max")  # "150000 100000", or "max 100000" without a quota
    apart = procfs.text(group / "cpu.cfs_quota_us") + procfs.text(group / "cpu.cfs_period_us")  # "-1" without one
    quota, _, period = " ".join((together or apart).split()).partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None

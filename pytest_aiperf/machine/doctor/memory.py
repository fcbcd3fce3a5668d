"""Memory: how much is left, what went to the disk, which pages it is made of."""

from __future__ import annotations

from pytest_aiperf.machine import procfs
from pytest_aiperf.machine.doctor.finding import NO_ROOT, Finding, fine, noisy, unknown
from pytest_aiperf.machine.doctor.observation import Window
from pytest_aiperf.machine.instruments import Machine

LEAST_FREE = 0.10
"""Share of the memory; below it the kernel reclaims pages of the model's files while it is measured."""
MOST_SWAPPED = 256 * 1024**2
"""Bytes in swap; more of it does not lie there forgotten, and comes back in the middle of a call."""
GIB = 1024**3


def free_memory(machine: Machine) -> Finding:
    """What is left before the kernel has to take pages away."""
    memory = machine.instruments.memory()
    return noisy(
        f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB",
        when=memory.available < LEAST_FREE * memory.total,
        remedy="close what holds it: ps -eo rss,pid,args --sort=-rss | head; "
        "in CI: a larger runner, or fewer workers (-n)",
    )


def swapping(machine: Machine, window: Window) -> Finding:
    """Pages on the disk."""
    sizes = procfs.kilobytes(machine.root / "proc/meminfo")
    before, after = window.before.swapped_in, window.after.swapped_in
    if not {"SwapTotal", "SwapFree"} <= sizes.keys():
        return unknown()
    used = sizes["SwapTotal"] - sizes["SwapFree"]
    pages = after - before if before is not None and after is not None else 0
    if not sizes["SwapTotal"]:
        return fine("no swap")
    return noisy(
        f"{used / GIB:.1f} GiB in swap, {pages} pages came back within {window.seconds:.1f} s",
        when=pages > 0 or used > MOST_SWAPPED,
        remedy=f"free memory, then sudo swapoff -a; docker run with --memory-swap equal to --memory ({NO_ROOT})",
    )


def huge_pages(machine: Machine) -> Finding:
    """Only told: two machines that differ in it differ in speed."""
    setting = machine.read("sys/kernel/mm/transparent_hugepage/enabled")
    if not setting:
        return unknown()
    return fine(setting.partition("[")[2].partition("]")[0] or setting)

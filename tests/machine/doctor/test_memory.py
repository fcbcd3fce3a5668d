"""Memory: limits in pairs, just under is fine, just over is noisy."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_aiperf.machine.doctor import memory
from pytest_aiperf.machine.doctor.finding import State
from pytest_aiperf.machine.instruments import Memory
from tests.fakes_machine import Files, machine, window

HUGE_PAGES = "sys/kernel/mm/transparent_hugepage/enabled"
KIB_OF_256_MIB = 256 * 1024


def swap(*, total: int = 4 * KIB_OF_256_MIB, used: int = 0, came_back: int = 0) -> Files:
    sizes = f"MemTotal: 900 kB\nSwapTotal: {total} kB\nSwapFree: {total - used} kB\n"
    return {"proc/meminfo": sizes, "proc/vmstat": f"pgpgin 5\npswpin {came_back}\npswpout 9\n"}


@pytest.mark.parametrize(("available", "state"), [(100, State.FINE), (99, State.NOISY)])
def test_it_wants_a_tenth_of_the_memory_to_be_free(tmp_path: Path, available: int, state: State):
    found = memory.free_memory(machine(tmp_path, memory=lambda: Memory(available=available, total=1000)))
    assert found.state is state
    assert ("--sort=-rss" in found.remedy) == (state is State.NOISY)


@pytest.mark.parametrize(
    ("before", "after", "state", "seen"),
    [
        (swap(total=0), {}, State.FINE, "no swap"),
        (swap(), swap(), State.FINE, "0.0 GiB in swap, 0 pages came back within 1.0 s"),
        (swap(used=KIB_OF_256_MIB), {}, State.FINE, "0.2 GiB in swap"),
        (swap(used=KIB_OF_256_MIB + 1), {}, State.NOISY, "0.3 GiB in swap"),
        (swap(used=1, came_back=70), swap(used=1, came_back=75), State.NOISY, "0.0 GiB in swap, 5 pages came back"),
        ({}, {}, State.UNKNOWN, "not readable"),
    ],
)
def test_it_sees_pages_on_the_disk(tmp_path: Path, before: Files, after: Files, state: State, seen: str):
    found = memory.swapping(machine(tmp_path, before), window(tmp_path, before, then=after))
    assert found.state is state
    assert found.seen.startswith(seen)
    assert ("swapoff" in found.remedy) == (state is State.NOISY)


@pytest.mark.parametrize(
    ("setting", "state", "seen"),
    [
        ("always [madvise] never\n", State.FINE, "madvise"),
        ("[always] madvise never\n", State.FINE, "always"),
        ("", State.UNKNOWN, "not readable on this system"),
    ],
)
def test_it_only_tells_how_huge_pages_are_set(tmp_path: Path, setting: str, state: State, seen: str):
    found = memory.huge_pages(machine(tmp_path, {HUGE_PAGES: setting}))
    assert (found.state, found.seen) == (state, seen)

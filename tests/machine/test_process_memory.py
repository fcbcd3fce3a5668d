"""What the kernel says of this process, against memory that the test itself took."""

from __future__ import annotations

import mmap
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_aiperf.machine.process_memory import LinuxMemory, ResidentMemory, create

MIB = 1024**2
KIB = 1024
BLOCK = 96 * MIB
"""Beyond the largest buffer that malloc keeps for itself (32 MiB), so that freeing gives it back."""

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads the real /proc of this process")


def within_one_mib(figure: int, expected: int) -> bool:
    return abs(figure - expected) <= MIB


def block() -> np.ndarray:
    return np.ones(BLOCK, dtype=np.uint8)


def peak_of(work: Callable[[], object]) -> tuple[int, int]:
    """Bytes of the peak above the start, and of what is still there at the end."""
    memory = LinuxMemory()
    before = memory.now()
    assert memory.reset_peak()
    kept = work()
    peak, now = memory.peak(), memory.now()
    assert peak is not None
    del kept
    return peak - before, now - before


@on_linux
def test_it_sees_memory_that_is_kept():
    peak, now = peak_of(block)
    assert within_one_mib(peak, BLOCK)
    assert within_one_mib(now, BLOCK)


@on_linux
def test_it_still_sees_memory_that_was_freed():
    peak, now = peak_of(lambda: block().nbytes)
    assert within_one_mib(peak, BLOCK)
    assert within_one_mib(now, 0)


@on_linux
def test_it_sees_the_memory_of_other_threads():
    def work() -> None:
        thread = threading.Thread(target=block)
        thread.start()
        thread.join()

    peak, now = peak_of(work)
    assert within_one_mib(peak, BLOCK)
    assert within_one_mib(now, 0)


@on_linux
def test_it_forgets_an_older_peak():
    LinuxMemory().reset_peak()
    block()
    peak, _ = peak_of(lambda: None)
    assert within_one_mib(peak, 0)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"\1" * BLOCK)
    return file


def mapped(file: Path) -> mmap.mmap:
    """The file's pages, each touched and none copied."""
    with file.open("rb") as opened:
        pages = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
    assert np.frombuffer(pages, dtype=np.uint8)[:: mmap.PAGESIZE].sum() > 0
    return pages


@on_linux
def test_it_keeps_mapped_files_apart(weights: Path):
    memory = LinuxMemory()
    before = memory.file_backed()
    kept: list[mmap.mmap] = []
    peak, now = peak_of(lambda: kept.append(mapped(weights)))
    after = memory.file_backed()
    assert before is not None
    assert after is not None
    assert within_one_mib(after - before, BLOCK)
    assert within_one_mib(peak, 0)
    assert within_one_mib(now, 0)


@on_linux
def test_it_sees_buffers_that_come_and_go_beside_a_mapped_file(weights: Path):
    kept: list[mmap.mmap] = []

    def work() -> None:
        kept.append(mapped(weights))
        block()

    peak, now = peak_of(work)
    assert within_one_mib(peak, BLOCK)
    assert within_one_mib(now, 0)


@on_linux
def test_it_counts_too_much_rather_than_too_little_when_a_mapped_file_goes_away(weights: Path):
    peak, _ = peak_of(lambda: mapped(weights).close())
    assert within_one_mib(peak, BLOCK)


@on_linux
def test_it_counts_shared_memory():
    def work() -> mmap.mmap:
        shared = mmap.mmap(-1, BLOCK)
        shared.write(b"\1" * BLOCK)
        return shared

    _, now = peak_of(work)
    assert within_one_mib(now, BLOCK)


def proc(folder: Path, *, status: str, rollup: str | None = None) -> LinuxMemory:
    (folder / "status").write_text(status, encoding="utf-8")
    if rollup is not None:
        (folder / "smaps_rollup").write_text("5592c887c000-7ffcc500e000 ---p [rollup]\n" + rollup, encoding="utf-8")
    return LinuxMemory(folder)


STATUS = (
    "Name:\tpython\nVmHWM:\t900 kB\nVmRSS:\t500 kB\nRssAnon:\t300 kB\nRssFile:\t150 kB\nRssShmem:\t50 kB\nThreads:\t4\n"
)


def test_it_takes_file_pages_off_the_peak(tmp_path: Path):
    memory = proc(tmp_path, status=STATUS)
    assert (memory.peak(), memory.now(), memory.file_backed()) == (750 * KIB, 350 * KIB, 150 * KIB)


def test_it_prefers_the_exact_account_over_lagging_counters(tmp_path: Path):
    memory = proc(tmp_path, status=STATUS, rollup="Rss: 510 kB\nAnonymous: 340 kB\n")
    assert (memory.peak(), memory.now(), memory.file_backed()) == (780 * KIB, 390 * KIB, 120 * KIB)


def test_it_never_reports_a_peak_below_what_is_there(tmp_path: Path):
    """The counters may lag behind the exact account."""
    memory = proc(tmp_path, status=STATUS, rollup="Rss: 1400 kB\nAnonymous: 1000 kB\n")
    assert memory.peak() == 1050 * KIB


def test_it_keeps_the_largest_peak_until_the_reset(tmp_path: Path):
    memory = proc(tmp_path, status=STATUS)
    assert memory.peak() == 750 * KIB
    proc(tmp_path, status=STATUS.replace("RssFile:\t150", "RssFile:\t600"))
    assert memory.peak() == 750 * KIB
    memory.reset_peak()
    assert memory.peak() == 350 * KIB


def test_it_restarts_the_peak_in_the_kernels_own_way(tmp_path: Path):
    memory = proc(tmp_path, status=STATUS)
    assert "since the process started" in memory.method()
    assert memory.reset_peak()
    assert (tmp_path / "clear_refs").read_text(encoding="utf-8") == "5"
    assert memory.method() == "VmHWM less file pages, since the reset"


def test_it_says_when_the_kernel_does_not_let_it(tmp_path: Path):
    memory = proc(tmp_path, status=STATUS)
    (tmp_path / "clear_refs").mkdir()
    assert not memory.reset_peak()
    assert "since the process started" in memory.method()


def test_it_does_not_guess_on_a_kernel_that_tells_little(tmp_path: Path):
    memory = proc(tmp_path, status="VmSize:\t900 kB\nVmRSS:\t500 kB\n")
    assert (memory.peak(), memory.now(), memory.file_backed()) == (None, 500 * KIB, None)
    assert memory.method().startswith("VmRSS")


def test_it_reports_the_whole_process_where_nothing_better_is_kept():
    memory = ResidentMemory(peak=lambda: 9, resident=lambda: 7, counter="ru_maxrss")
    assert not memory.reset_peak()
    assert (memory.peak(), memory.now(), memory.file_backed()) == (9, 7, None)
    assert memory.method() == "ru_maxrss, file pages included, since the process started"


@pytest.mark.parametrize(
    ("platform", "counter"), [("linux", "VmHWM"), ("darwin", "ru_maxrss"), ("win32", "peak working set")]
)
def test_it_chooses_the_account_of_the_system(platform: str, counter: str):
    assert create(platform).method().startswith(counter)


def test_it_reads_this_process_through_psutil_and_getrusage():
    memory = create("darwin")
    peak = memory.peak()
    assert peak is not None
    assert peak > MIB
    assert memory.now() > MIB


def test_a_glance_is_near_what_is_there():
    memory = create()
    assert abs(memory.glance() - memory.now()) < 16 * 1024**2


def test_a_free_heap_is_given_back():
    asked = []
    library = SimpleNamespace(malloc_trim=asked.append)
    LinuxMemory(library=lambda _name: library).give_back()
    assert asked == [0]
    LinuxMemory(library=lambda _name: SimpleNamespace()).give_back()  # musl has no such function

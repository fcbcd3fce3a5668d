"""Who held the memory at its peak: lines of Python, tensors, blocks of a GPU."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_aiperf.judging.memory_notes import place_of
from pytest_aiperf.measuring.allocations import AllocationWatch, gpu_kept, gpu_peak
from pytest_aiperf.vocabulary.baseline import Allocations

np = pytest.importorskip("numpy")
HERE = Path(__file__)
MIB = 1024**2
LIBRARY = "/x/lib/python3.11/site-packages/torch/nn/modules/linear.py"


def alloc(addr: int, size: int, *lines: int, file: str = "/home/me/net.py") -> dict[str, Any]:
    frames = [{"filename": LIBRARY, "line": 9, "name": "forward"}]
    frames += [{"filename": file, "line": line, "name": "load"} for line in lines]
    return {"action": "alloc", "addr": addr, "size": size, "frames": frames}


def free(addr: int, action: str = "free_completed") -> dict[str, Any]:
    return {"action": action, "addr": addr, "size": 0, "frames": []}


def test_a_gpu_is_told_at_its_peak_by_the_users_line():
    trace = [
        alloc(1, 10, 3),
        alloc(2, 50, 4, 20),
        free(1, "free_requested"),
        alloc(3, 5, 4),
        free(2),
        free(1),
        alloc(1, 20, 7),
    ]
    assert gpu_peak([trace]) == {
        (("/home/me/net.py", 3),): 10,
        (("/home/me/net.py", 4), ("/home/me/net.py", 20)): 50,
        (("/home/me/net.py", 4),): 5,
    }


def test_what_is_still_held_at_the_end_is_told_apart_from_the_peak():
    assert gpu_kept([[alloc(1, 10, 3), alloc(2, 50, 4), free(2)], [alloc(2, 7, 3)]]) == {(("/home/me/net.py", 3),): 17}


def test_each_gpu_has_a_peak_of_its_own():
    first = [alloc(1, 100, 3), free(1)]
    second = [alloc(1, 1, 3), free(1), alloc(1, 30, 8)]
    found = gpu_peak([first, second, []])
    assert found == {(("/home/me/net.py", 3),): 100, (("/home/me/net.py", 8),): 30}


def test_of_many_lines_of_the_user_the_three_innermost_are_told():
    (stack,) = gpu_peak([[alloc(1, 10, 3, 4, 5, 6)]])
    assert [line for _, line in stack] == [3, 4, 5]


def test_without_frames_of_the_user_the_innermost_line_stands_for_it():
    assert gpu_peak([[alloc(1, 10)]]) == {((LIBRARY, 9),): 10}
    assert gpu_peak([[{"action": "alloc", "addr": 1, "size": 10}]]) == {(("?", 0),): 10}


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("net.py:12 (weights = a[1:2]) < test_net.py:5", "net.py (weights = a[1:2]) < test_net.py"),
        ("src/net.py:7 (x = x.cuda())", "src/net.py (x = x.cuda())"),
        ("imports", "imports"),
    ],
)
def test_a_place_stays_the_same_when_lines_are_put_above_it(name, place):
    assert place_of(name) == place


def told(work) -> dict[str, float]:
    """MiB by line of this file; `work` is given what the watching thread does each time."""
    watch = AllocationWatch(sys.modules, HERE.parent)
    watch.start()
    try:
        work(watch._python._look)
    finally:
        found = watch.stop()
    lines = {place_of(name).partition(" < ")[0]: round(size / MIB) for name, size in found.host.items()}
    return {name: size for name, size in lines.items() if name.startswith(HERE.name)}


def test_arrays_that_are_freed_before_the_end_are_told_too():
    def work(look):
        kept = np.ones(8 * MIB, np.uint8)
        buffer = np.ones(32 * MIB, np.uint8)
        look()
        del buffer
        kept += 1

    assert told(work) == {
        f"{HERE.name} (kept = np.ones(8 * MIB, np.uint8))": 8,
        f"{HERE.name} (buffer = np.ones(32 * MIB, np.uint8))": 32,
    }


def test_tensors_are_told_while_any_view_of_them_lives():
    torch = pytest.importorskip("torch")

    def work(look):
        weights = torch.ones(4 * MIB, dtype=torch.float32)
        view = weights[:2]
        del weights
        gone = torch.ones(64 * MIB, dtype=torch.uint8)
        del gone
        with torch.inference_mode():
            look()
            view += torch.ones(32 * MIB, dtype=torch.uint8)[:2]

    found = told(work)
    assert found[f"{HERE.name} (weights = torch.ones(4 * MIB, dtype=torch.float32))"] == 16
    assert found[f"{HERE.name} (gone = torch.ones(64 * MIB, dtype=torch.uint8))"] == 64
    assert f"{HERE.name} (view += torch.ones(32 * MIB, dtype=torch.uint8)[:2])" not in found


class Cuda:
    """A torch whose caching allocator has handed out one block."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.cuda = self
        self.memory = self

    def is_available(self) -> bool:
        return True

    def _record_memory_history(self, **options: Any) -> None:
        self.log.append(options["enabled"])

    def _snapshot(self) -> dict[str, Any]:
        return {"device_traces": [[alloc(1, 3 * MIB, 5, file=str(HERE))]]}


def test_a_gpu_is_recorded_from_start_to_stop_and_told_apart(monkeypatch):
    torch = Cuda()
    monkeypatch.setattr("pytest_aiperf.measuring.allocations._tensor_peak", lambda torch: NoTensors())
    torch.empty = lambda size: None
    watch = AllocationWatch({"torch": torch}, HERE.parent)
    watch.start()
    assert torch.log == ["all"]
    found = watch.stop()
    assert torch.log == ["all", None]
    assert found == Allocations(gpu={f"{HERE.name}:5 (import sys)": 3.0 * MIB})


class NoTensors:
    def __init__(self) -> None:
        self.at_peak: dict[Any, int] = {}

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        pass

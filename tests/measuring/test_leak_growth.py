"""What stays behind after calls that leak."""

from __future__ import annotations

import asyncio
import itertools
import sys
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_aiperf.measuring import leak_growth
from pytest_aiperf.measuring.driver import Driver, without_loop
from tests.fakes import tools

KEPT = []


@pytest.fixture(autouse=True)
def _nothing_is_kept():
    yield
    KEPT.clear()


def told(call, **modules):
    return without_loop(leak_growth.told(Driver(call, tools()), modules or sys.modules))


class Answer:
    """Something that a cache keeps."""


def test_the_line_that_allocates_is_named_with_what_it_takes():
    def call():
        KEPT.append(np.ones(10_000))

    first, *_ = told(call)
    assert first.startswith("78.")
    assert " KiB per call allocated at test_leak_growth.py:" in first
    assert first.endswith("(KEPT.append(np.ones(10_000)))")
    assert not tracemalloc.is_tracing()


def test_objects_that_become_more_are_named():
    def call():
        KEPT.append(Answer())

    assert "1 more tests.measuring.test_leak_growth.Answer with each call" in told(call)


def test_tensors_are_named_by_their_shape():
    torch = pytest.importorskip("torch")

    def call():
        KEPT.append(torch.ones(64, 256))

    assert told(call)[-1] == "1 more tensor (64, 256) float32 on cpu with each call"


def test_nothing_is_told_of_a_call_that_keeps_nothing():
    assert told(lambda: np.ones(10_000)) == ()


@pytest.mark.parametrize("at", [3, leak_growth.CALLS - 2])
def test_nothing_is_told_of_what_grows_once(at):
    count = itertools.count()

    def call():
        if next(count) == at:  # a cache that is filled, or what another thread does meanwhile
            KEPT.append(np.ones(1_000_000))
            KEPT.extend(Answer() for _ in range(1_000))

    assert told(call) == ()


@pytest.mark.parametrize(
    ("halves", "says"),
    [(2, ("4.00 KiB per call allocated at net.py:7 on the GPU",)), (1, ())],
    ids=["leak", "a cache that is filled once"],
)
def test_what_stays_on_a_gpu_is_named_by_its_line_per_call(halves, says):
    half = range(leak_growth.CALLS // 2)
    kept = [{"action": "alloc", "addr": place, "size": 4096, "frames": FRAMES} for place in half]
    gone = [{"action": "alloc", "addr": 99, "size": 10**9, "frames": FRAMES}, {"action": "free_completed", "addr": 99}]
    traces = iter([[*kept, *gone]] * halves + [[]] * 2)
    memory = SimpleNamespace(
        _record_memory_history=lambda **options: None, _snapshot=lambda: {"device_traces": [next(traces)]}
    )
    torch = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: True, memory=memory))
    assert told(lambda: None, torch=torch) == says


FRAMES = [{"filename": "/home/me/net.py", "line": 7, "name": "call"}]


def test_coroutine_functions_are_told_of_too():
    kept = []

    async def call() -> None:
        kept.append(bytes(100_000))

    seen = asyncio.run(leak_growth.told(Driver(call, tools(), asynchronous=True)))
    assert seen[0].startswith("97.7 KiB per call allocated at test_leak_growth.py:")

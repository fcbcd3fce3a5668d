"""Memory that grows with every call."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

SOAK = """
import numpy as np
import pytest

kept = []

def leaks(size):
    kept.append(np.ones(size // 8))
    return len(kept)

def test_steady(aiperf):
    assert aiperf.soak(lambda: np.ones(50_000).sum()) == 50_000

@pytest.mark.max_leak_kb(100)
def test_within_its_limit(aiperf):
    aiperf.soak(leaks, 50 * 1024)

def test_that_leaves_a_large_free_heap_behind():
    hoard = [bytes(100_000) for _ in range(3000)]
    keep = hoard[::100]
    del hoard
    kept.extend(np.frombuffer(one, np.uint8) for one in keep)

def test_leaks(aiperf):
    assert aiperf.soak(leaks, 50 * 1024) > 1

async def nothing():
    return 5

def test_awaited(aiperf):
    assert aiperf.soak(nothing, calls=200) == 5

async def leaks_later():
    kept.append(np.ones(12_800))

def test_awaited_leak(aiperf):
    aiperf.soak(leaks_later, calls=200)

def test_too_few(aiperf):
    aiperf.soak(leaks, 1, calls=10)

@pytest.mark.max_leak_kb(1)
def test_a_limit_that_nothing_measures(aiperf):
    aiperf.score([1])
"""


def test_a_leak_fails_and_says_what_grew(project):
    project.write("test_model.py", SOAK)
    result = project.pytest("--aiperf")
    result.assert_outcomes(passed=4, failed=4)
    rows = project.rows("test_model.py::test_leaks")
    assert rows["leak per call"] == ("over_limit", "leak")
    assert project.rows("test_model.py::test_steady")["leak per call"] == ("passed", "within_limit")
    assert project.rows("test_model.py::test_within_its_limit")["leak per call"] == ("passed", "within_limit")
    assert project.rows("test_model.py::test_a_limit_that_nothing_measures")["leak per call"] == (
        "unmeasured",
        "never_measured",
    )
    output = " ".join(result.stdout.str().split())
    assert "why: 50.1 KiB per call allocated at test_model.py:8 (kept.append(np.ones(size // 8)))" in output
    assert "why: 100 KiB per call allocated at test_model.py:34 (kept.append(np.ones(12_800)))" in output
    assert "a leak shows with 200 calls at least" in output
    assert not project.baseline().exists()


def test_without_measuring_the_function_runs_once(project):
    project.write(
        "test_model.py",
        "def test_once(aiperf):\n    seen = []\n    aiperf.soak(seen.append, 1)\n    assert seen == [1]\n",
    )
    project.pytest().assert_outcomes(passed=1)

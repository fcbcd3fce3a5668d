"""What a failing memory test shows: its phases, and the lines that hold the memory, against the baseline's."""

from __future__ import annotations

import pytest

pytest.importorskip("numpy")
pytestmark = pytest.mark.slow

MODEL = """
import numpy as np
import pytest

MIB = 1024 * 1024

def load():
    weights = np.ones(40 * MIB, np.uint8)
    return lambda x: x + int(weights[0])

@pytest.mark.aiperf(memory=True)
def test_it(aiperf):
    model = aiperf.load(load)
    assert aiperf.infer(model, 1) == 2
"""
TEST = "test_model.py::test_it"


def test_the_line_that_grew_is_named_with_what_it_was(project, edit):
    project.write("test_model.py", MODEL)
    project.pytest("--aiperf-update", "--aiperf-processes=5", fast=False).assert_outcomes(passed=1)
    stored = project.baseline().read_text()
    assert '"test_model.py:8 (weights = np.ones(40 * MIB, np.uint8)) < test_model.py:13": 41940000' in stored
    edit("test_model.py", "def load():", "N = 90\n\ndef load():")
    edit("test_model.py", "np.ones(40 * MIB", "np.ones(N * MIB")
    result = project.pytest("--aiperf", "--aiperf-seconds=0.02")
    assert project.rows(TEST)["peak memory"] == ("regressed", "larger"), result.stdout.str()
    told = result.stdout.str()
    assert "why: 90.0 MiB (new) held by test_model.py:10 (weights = np.ones(N * MIB, np.uint8))" in told
    assert "peaks: " in told  # of the process that decided, which may have loaded before its peaks were watched
    (measurement,) = project.last()[TEST]["measurements"]
    peaks = [sample["parts"] for sample in measurement["samples"] if sample["metric"] == "ram"]
    assert any(parts.get("load", 0.0) > 89 * 1024**2 for parts in peaks), peaks

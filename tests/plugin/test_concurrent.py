"""Several models in one process: the joint peak is held, what each takes is told."""

from __future__ import annotations

import itertools

import pytest

pytest.importorskip("numpy")
pytestmark = pytest.mark.slow

MODELS = """
import numpy as np
import pytest

MIB = 1024 * 1024

class Model:
    def __init__(self, weights, working):
        self.weights = np.ones(weights * MIB, np.uint8)
        self.working = working

    def __call__(self, x):
        buffer = np.ones(self.working * MIB, np.uint8)
        return x + int(buffer[0])

kept = []

def forgetful():
    kept.append(np.ones(16 * MIB, np.uint8))
    return Model(64, 40)

MODELS = {"detector": lambda: Model(96, 48), "classifier": forgetful}

@pytest.mark.max_ram_mb(BUDGET)
def test_both(aiperf):
    seen = aiperf.concurrent(MODELS, {"detector": 1, "classifier": 2})
    assert seen == {"detector": 2, "classifier": 3}
    print(seen)
"""


def test_the_joint_peak_is_told_beside_those_of_each_model_alone(project):
    project.write("test_model.py", MODELS.replace("BUDGET", "400"))
    project.pytest().assert_outcomes(passed=1)
    result = project.pytest("--aiperf", "-s")
    result.assert_outcomes(passed=1)
    told = result.stdout.str().partition("memory together ")[2].splitlines()
    assert sizes(told[0]) == pytest.approx([96 + 80 + 48, 96 + 48 + 80 + 40], abs=4)
    assert sizes(told[1]) == pytest.approx([96 + 48, 96], abs=4)
    assert sizes(told[2]) == pytest.approx([80 + 40, 96 + 80], abs=4)
    assert sizes(told[3]) == pytest.approx([96 + 80 + 48], abs=4)
    assert sizes(told[4]) == pytest.approx([16], abs=4), "what the second loader keeps outlives its model"


def test_a_budget_holds_the_joint_peak(project):
    project.write("test_model.py", MODELS.replace("BUDGET", "200"))
    result = project.pytest("--aiperf")
    result.assert_outcomes(failed=1)
    assert project.rows("test_model.py::test_both") == {"peak memory": ("over_limit", "over_limit")}
    result.stdout.fnmatch_lines(["*memory together*of the sum of single peaks*", "*detector: *", "*kept after del*"])


ONLY_TOGETHER = """
import os
import pytest

loaded = []

def load(name):
    loaded.append(name)
    if loaded == ["second"] and "CHILD" in os.environ:
        os._exit(9)
    return lambda x: x

@pytest.mark.max_ram_mb(100)
def test_it(aiperf):
    os.environ["CHILD"] = "of this process"
    seen = aiperf.concurrent({"first": lambda: load("first"), "second": lambda: load("second")}, 1)
    assert seen == {"first": 1, "second": 1}
"""


def test_a_process_that_dies_is_no_pass(project):
    project.write("test_model.py", ONLY_TOGETHER)
    result = project.pytest("--aiperf")
    result.assert_outcomes(failed=1)
    assert project.rows("test_model.py::test_it") == {"peak memory": ("anomalous", "child_failed")}
    assert "ended with exit code 9" in result.stdout.str()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("aiperf.concurrent({}, 1)", "expected a mapping of names"),
        ("aiperf.concurrent({'a': 3}, 1)", "'a' is a int, not a function without arguments"),
    ],
)
def test_what_cannot_be_measured_is_an_error(project, call, says):
    project.write("test_model.py", f"def test_it(aiperf):\n    {call}\n")
    for arguments in ((), ("--aiperf",)):
        result = project.pytest(*arguments)
        result.assert_outcomes(failed=1)
        assert says in result.stdout.str()


def sizes(line: str) -> list[float]:
    """The MiB of a line."""
    words = line.replace("(", "").replace(")", "").replace(",", "").split()
    return [float(number) for number, unit in itertools.pairwise(words) if unit == "MiB"]

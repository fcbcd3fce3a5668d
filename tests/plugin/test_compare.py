"""Original against optimised in one test, with nothing stored."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

pytestmark = pytest.mark.slow

MODELS = """
import numpy as np
import pytest
from exact_clock import nap

INPUTS, LABELS = np.arange(400.0).reshape(200, 2), np.arange(200) % 10

def model(turns, wrong=0, broken=False):
    def run(inputs):
        nap(turns * 50e-9)
        answers = (inputs[:, 0] / 2).astype(int) % 10
        logits = np.eye(10)[np.where(inputs[:, 0] < 2 * wrong, (answers + 1) % 10, answers)]
        return np.where(inputs[:, :1] < 2, np.nan, logits) if broken else logits
    return run

@pytest.fixture
def original():
    return model(40_000)
"""
GOOD = """
@pytest.mark.min_speedup(1.3)
@pytest.mark.min_agreement(0.99)
@pytest.mark.min_sqnr_db(20)
@pytest.mark.max_accuracy_drop(0.5)
def test_faster(aiperf, original):
    seen = aiperf.compare(original, model(20_000, wrong=1), INPUTS, LABELS)
    assert seen.speedup > 1.3
    assert seen.speedup_interval[0] <= seen.speedup <= seen.speedup_interval[1]
    assert (seen.reference.score, seen.candidate.score, seen.agreement) == (1.0, 0.995, 0.995)
    assert "accuracy of 200" in str(seen)

@pytest.mark.min_speedup(2.3, label="third")
def test_family(aiperf, original):
    seen = aiperf.compare(original, {"half": model(20_000), "third": model(14_000)}, INPUTS, LABELS)
    assert 1.3 < seen["half"].speedup < seen["third"].speedup
    assert "third" in str(seen)
"""
GROUPED = """
@pytest.mark.aiperf(group="cnn")
@pytest.mark.parametrize("turns", [pytest.param(20_000, id="half"), pytest.param(14_000, id="third")])
def test_variant(aiperf, original, turns):
    aiperf.compare(original, model(turns), INPUTS, LABELS)

@pytest.mark.aiperf(group="cnn", max_slowdown=9)
def test_other(aiperf, original):
    aiperf.compare(original, model(39_999), INPUTS, LABELS)
"""
BAD = """
@pytest.mark.min_speedup(1.1)
def test_slower(aiperf, original):
    seen = aiperf.compare(original, model(52_000), INPUTS, LABELS)
    assert seen.speedup < 0.95

def test_less_accurate(aiperf, original):
    aiperf.compare(original, model(20_000, wrong=20), INPUTS, LABELS)

@pytest.mark.min_sqnr_db(30)
def test_too_far_off(aiperf, original):
    aiperf.compare(original, model(20_000, wrong=1), INPUTS, LABELS)

@pytest.mark.max_memory_ratio(2)
@pytest.mark.aiperf(max_slowdown=9)
def test_hungry(aiperf, original):
    def hungry(inputs):
        return model(20_000)(inputs) + 0 * np.ones(8_000_000).sum()

    def modest(inputs):
        return original(inputs) + 0 * np.ones(2_000_000).sum()

    aiperf.compare(modest, hungry, INPUTS, LABELS)

def test_not_a_number(aiperf, original):
    aiperf.compare(original, model(20_000, broken=True), INPUTS, LABELS)

def test_the_original_itself(aiperf, original):
    aiperf.compare(original, original, INPUTS, LABELS)

@pytest.mark.min_speedup(1.1)
def test_a_limit_that_nothing_measures(aiperf):
    aiperf.score([1, 1])
"""


@pytest.fixture
def project(project):
    project.runs_on("calm_machine", "exact_clock")
    return project


def test_a_better_model_passes_and_stores_nothing(project):
    project.write("test_model.py", MODELS + GOOD)
    project.pytest().assert_outcomes(passed=2)
    result = project.pytest("--aiperf", "-v")
    result.assert_outcomes(passed=2)
    rows = project.rows("test_model.py::test_faster")
    assert rows["speed-up"] == ("passed", "within_limit")
    assert rows["latency p50"] == ("improved", "faster")
    assert rows["accuracy"] == ("passed", "within_margin")
    assert rows["agreement"] == rows["SQNR"] == ("passed", "within_limit")
    table = result.stdout.str().rpartition("test_model.py::test_family\n  ")[2].splitlines()
    assert [line.split()[:2] for line in table[1:3]] == [["reference", ANY], ["*", "third"]]
    assert "half" in table[3], "below the faster one; on the front only where noise hides which is faster"
    project.pytest("--aiperf", "--aiperf-update").assert_outcomes(passed=2)
    assert not project.baseline().exists()


def test_tests_that_share_a_group_stand_in_one_table(project):
    project.write("test_model.py", MODELS + GROUPED)
    result = project.pytest("--aiperf", "--aiperf-report=markdown:family.md")
    result.assert_outcomes(passed=3)
    table = (project.root / "family.md").read_text().partition("#### cnn")[2]
    assert [line.split("|")[2].strip() for line in table.splitlines()[4:8]] == [
        "reference",
        "third",
        "half",
        "test_other",
    ]


def test_a_worse_model_fails_for_its_own_reason(project):
    project.write("test_model.py", MODELS + BAD)
    result = project.pytest("--aiperf", "--junitxml=junit.xml")
    result.assert_outcomes(failed=7)
    reasons = {
        "test_slower": ("latency p50", ("regressed", "slower")),
        "test_less_accurate": ("accuracy", ("regressed", "worse")),
        "test_too_far_off": ("SQNR", ("over_limit", "over_limit")),
        "test_hungry": ("memory ratio", ("over_limit", "over_limit")),
        "test_not_a_number": ("anomaly", ("anomalous", "anomaly")),
        "test_a_limit_that_nothing_measures": ("speed-up", ("unmeasured", "never_measured")),
    }
    seen = {test: project.rows(f"test_model.py::{test}") for test in reasons}
    assert {test: rows.get(title) for (test, (title, _)), rows in zip(reasons.items(), seen.values(), strict=True)} == {
        test: status for test, (_, status) in reasons.items()
    }
    assert seen["test_slower"]["speed-up"] == ("over_limit", "over_limit")
    output = result.stdout.str()
    assert "pairs against the reference" in output
    assert "10 newly wrong" in output or "20 newly wrong" in output
    assert "copy.deepcopy" in output
    pairing = project.last()["test_model.py::test_slower"]["measurements"][0]["pairing"]
    assert pairing["blocks"], "only fresh processes fail a candidate"
    assert pairing["screen"]

"""A regression is an ordinary test failure, whatever else runs beside it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

pytestmark = pytest.mark.slow

INACCURATE = """
import pytest

@pytest.mark.min_accuracy(0.9)
def test_bad(aiperf):
    aiperf.score([1, 1, 0, 0])

@pytest.mark.min_accuracy(0.5)
def test_good(aiperf):
    aiperf.score([1, 1, 0, 0])

def test_plain():
    assert True
"""


def test_it_is_red_with_one_block_and_no_traceback(project):
    project.write("test_model.py", INACCURATE)
    result = project.pytest("--aiperf", "--junitxml=junit.xml")
    assert result.ret == 1
    result.assert_outcomes(failed=1, passed=2)
    output = result.stdout.str()
    assert "UNDER LIMIT" in output
    assert "min_accuracy(0.9)" in output
    assert "Traceback" not in output
    assert "pytest_aiperf/" not in output
    suite = ET.parse(project.root / "junit.xml").getroot().find("testsuite")
    assert suite.attrib["failures"] == "1"
    properties = {entry.attrib["name"]: entry.attrib["value"] for entry in suite.iter("property")}
    assert float(properties["aiperf.accuracy"]) == 0.5


@pytest.mark.parametrize(
    "arguments",
    [
        ("-n2",),
        ("-p", "no:terminal"),
        ("-p", "no:cacheprovider"),
        ("-W", "error"),
        ("--strict-markers",),
        ("--reruns", "2"),
        ("--reruns", "2", "-n2"),
        ("-q",),
        ("-v",),
        ("--tb=no",),
    ],
    ids=" ".join,
)
def test_it_stays_red_beside_other_options(project, arguments):
    project.write("test_model.py", INACCURATE)
    result = project.pytest("--aiperf", *arguments)
    assert result.ret == 1
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    if "no:terminal" not in arguments:
        outcomes = result.parseoutcomes()
        assert (outcomes["failed"], outcomes["passed"]) == (1, 2)
        assert outcomes.get("rerun", 0) == (2 if "--reruns" in arguments else 0)
    assert project.rows("test_model.py::test_bad")["accuracy"][0] == "over_limit"
    assert len(project.last()) == 2


def test_it_stops_at_the_first_failure_with_x(project):
    project.write("test_model.py", INACCURATE)
    result = project.pytest("--aiperf", "-x")
    assert result.ret == 1
    result.assert_outcomes(failed=1)


@pytest.mark.parametrize(
    ("strict", "exit_code", "outcomes"),
    [(False, 0, {"xfailed": 1, "xpassed": 1}), (True, 1, {"xfailed": 1, "failed": 1})],
)
def test_it_honours_xfail(project, strict, exit_code, outcomes):
    project.write(
        "test_model.py",
        f"""
import pytest
pytestmark = pytest.mark.xfail(strict={strict})

@pytest.mark.min_accuracy(0.9)
def test_bad(aiperf):
    aiperf.score([1, 0])

@pytest.mark.min_accuracy(0.5)
def test_good(aiperf):
    aiperf.score([1, 0])
""",
    )
    result = project.pytest("--aiperf")
    assert result.ret == exit_code
    found = result.parseoutcomes()
    assert {name: found.get(name, 0) for name in outcomes} == outcomes


def test_it_reports_the_last_attempt_of_a_flaky_test_alone(project):
    project.write(
        "test_model.py",
        """
import pytest
attempts = []

@pytest.mark.min_accuracy(0.9)
def test_flaky(aiperf):
    attempts.append(1)
    aiperf.score([len(attempts) >= 2])
""",
    )
    result = project.pytest("--aiperf", "--reruns", "2")
    assert result.ret == 0
    assert result.parseoutcomes()["rerun"] == 1
    assert project.rows("test_model.py::test_flaky")["accuracy"][0] == "new"


def test_it_fails_a_test_whose_own_assertion_fails_and_judges_nothing(project):
    project.write("test_model.py", "def test_it(aiperf):\n    assert aiperf.call(lambda: 1) == 2\n")
    result = project.pytest("--aiperf")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["E*assert 1 == 2*"])
    assert project.last()["test_model.py::test_it"]["verdicts"] == []


def test_it_gives_the_models_own_output_with_and_without_measuring(project):
    project.write(
        "test_model.py",
        """
async def double(x):
    return 2 * x

def test_it(aiperf):
    load = aiperf.load(lambda: (lambda x: x + 1))
    assert aiperf.infer(load, 1) == 2
    assert aiperf.call(sorted, [2, 1], label="sorted") == [1, 2]
    assert aiperf.call(double, 4, label="async") == 8
    assert aiperf.score([1, 0]) == 0.5
""",
    )
    for arguments in ((), ("--aiperf",)):
        result = project.pytest(*arguments)
        assert result.ret == 0, result.stdout.str()


def test_it_asks_for_a_label_at_the_second_measurement(project):
    project.write("test_model.py", "def test_it(aiperf):\n    aiperf.call(int)\n    aiperf.call(int)\n")
    result = project.pytest("--aiperf")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*a second one needs a label: give each measurement its own label=*"])


def test_it_fails_a_limit_that_nothing_measured(project):
    project.write(
        "test_model.py",
        """
import pytest

@pytest.mark.max_latency_ms(20)
def test_without_fixture(): pass

@pytest.mark.max_latency_ms(20)
def test_with_another_figure(aiperf):
    aiperf.score([1])

@pytest.mark.max_latency_ms(20, label="batch 1")
def test_with_another_label(aiperf):
    aiperf.call(int, label="batch_1")
""",
    )
    result = project.pytest("--aiperf")
    result.assert_outcomes(failed=3)


def test_it_calls_a_nan_anomalous(project):
    project.write("test_model.py", "def test_it(aiperf):\n    aiperf.score([1.0, float('nan')])\n")
    result = project.pytest("--aiperf")
    assert result.ret == 1
    assert project.rows("test_model.py::test_it")["accuracy"] == ("anomalous", "not_finite")


def test_it_fails_an_async_test_that_fails(project):
    project.write(
        "test_model.py",
        """
import asyncio
import pytest

async def work():
    await asyncio.sleep(0)
    return 3

@pytest.mark.asyncio
async def test_good(aiperf):
    assert await aiperf.call(work) == 3

@pytest.mark.asyncio
async def test_bad(aiperf):
    assert await aiperf.call(work) == 4

@pytest.mark.asyncio
@pytest.mark.min_accuracy(0.9)
async def test_inaccurate(aiperf):
    aiperf.score([0])
""",
    )
    project.monkeypatch.setenv("PYTEST_ADDOPTS", "-o asyncio_default_fixture_loop_scope=function")
    result = project.pytest("--aiperf")
    result.assert_outcomes(passed=1, failed=2)
    assert "latency p50" in project.rows("test_model.py::test_good")


def test_it_measures_wherever_the_fixture_comes_from(project):
    project.write(
        "test_model.py",
        """
import unittest
import pytest

class TestCase(unittest.TestCase):
    @pytest.mark.max_ram_mb(50)
    def test_unittest(self): pass

class TestClass:
    @pytest.mark.parametrize("name", ["a/b::c[d]", "x y", "\\u00fc"])
    def test_odd_ids(self, aiperf, name):
        aiperf.call(len, name)

def test_asked_for_by_name(request):
    assert request.getfixturevalue("aiperf").call(len, "abc") == 3

@pytest.fixture
def measured(aiperf):
    return aiperf.call(len, "ab", label="in a fixture")

def test_in_another_fixture(measured, aiperf):
    aiperf.score([measured == 2])

def test_that_skips_itself(aiperf):
    aiperf.call(len, "x")
    pytest.skip("later")
""",
    )
    result = project.pytest("--aiperf-update")
    result.assert_outcomes(passed=6, skipped=1)
    assert "min measuring" not in result.stdout.str(), "every trial knows when it began"
    assert "test_that_skips_itself" not in project.baseline().read_text()
    assert project.pytest("--aiperf", CI="1").ret == 0

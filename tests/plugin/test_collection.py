"""Mistakes are found before any test runs; a run of one file runs that file."""

from __future__ import annotations

import pytest

MISTAKEN = """
import pytest

@pytest.mark.max_latency_ms("fast")
def test_type(): raise SystemExit("must not run")

@pytest.mark.max_ram_mb(-5)
def test_negative(): raise SystemExit("must not run")

@pytest.mark.max_gpu_mb(500, sort="process")
def test_keyword(): raise SystemExit("must not run")

@pytest.mark.max_latency_ms(20, percentile=101)
def test_percentile(): raise SystemExit("must not run")

@pytest.mark.max_ram_mb(5)
@pytest.mark.max_ram_mb(6)
def test_contradiction(): raise SystemExit("must not run")

def test_innocent(): raise SystemExit("must not run")
"""


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["alone", "xdist"])
def test_it_lists_every_mistake_and_runs_nothing(project, arguments):
    project.write("test_model.py", MISTAKEN)
    result = project.pytest("--aiperf", *arguments)
    output = result.stdout.str() + result.stderr.str()
    assert result.ret == 4
    for name in ("type", "negative", "keyword", "percentile", "contradiction"):
        assert f"test_model.py::test_{name}: " in output
    assert "5 mistakes in markers; no test was run" in output
    assert "must not run" not in output
    assert "INTERNALERROR" not in output


def test_it_leaves_the_markers_alone_when_it_does_not_measure(project):
    project.write("test_model.py", "import pytest\n@pytest.mark.max_ram_mb(-5)\ndef test_it(): pass\n")
    assert project.pytest(fast=False).ret == 0


def test_it_takes_a_file_for_a_file(project):
    project.write("test_x.py", "def test_it(): pass\n")
    project.write("test_y.py", "def test_it(): assert False\n")
    result = project.pytest("--aiperf", "test_x.py")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("--aiperf-report=json", "expected FORMAT:FILE"),
        ("--aiperf-report=htlm:x.html", "no reporter 'htlm'"),
        ("--aiperf-calls=none", "--aiperf-calls"),
    ],
)
def test_it_says_what_is_wrong_with_an_option(project, argument, says):
    project.write("test_model.py", "def test_it(): pass\n")
    result = project.pytest("--aiperf", argument)
    assert result.ret == 4
    assert says in result.stderr.str() + result.stdout.str()


def test_it_writes_every_report(project):
    project.write("test_model.py", "def test_it(aiperf):\n    aiperf.call(sum, [1])\n    aiperf.score([1, 0])\n")
    formats = ("json", "markdown", "csv", "pytest-benchmark", "terminal")
    result = project.pytest("--aiperf", *(f"--aiperf-report={name}:out/{name}.txt" for name in formats))
    assert result.ret == 0
    for name in formats:
        assert "test_it" in (project.root / "out" / f"{name}.txt").read_text()


def test_it_turns_red_when_a_report_cannot_be_written(project):
    project.write("test_model.py", "def test_it(): pass\n")
    project.write("blocked", "a file where a folder should be")
    result = project.pytest("--aiperf", "--aiperf-report=json:blocked/out.json")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*report json:blocked/out.json was not written*"])


def test_it_works_from_the_ini_file_alone(project):
    project.write("pytest.ini", "[pytest]\naiperf = true\naiperf_max_latency_ms = 0.000001\naiperf_seconds = 0.02\n")
    project.write("test_model.py", "def test_it(aiperf):\n    aiperf.call(sum, range(10000))\n")
    result = project.pytest(fast=False)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*OVER LIMIT*max_latency_ms=1e-06 (default)*"])


def test_it_works_from_the_environment_alone(project):
    project.write("test_model.py", "def test_it(aiperf):\n    aiperf.score([1, 0])\n")
    result = project.pytest(fast=False, PYTEST_AIPERF="1", PYTEST_AIPERF_MIN_ACCURACY="0.9")
    assert result.ret == 1

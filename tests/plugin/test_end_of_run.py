"""What a run says when it ends: what it skipped, what failed it, what it could not keep."""

from __future__ import annotations

import shutil

import pytest

pytestmark = pytest.mark.slow

MODEL = """
import model

def test_accuracy(aiperf):
    aiperf.score(model.SCORES)
"""


@pytest.fixture
def recorded(project):
    project.write("model.py", "SCORES = [1] * 50 + [0] * 50\n")
    project.write("test_model.py", MODEL)
    project.record()
    return project


def test_it_fails_a_gain_that_is_too_good_with_the_command_that_stores_it_and_then_stores_it(recorded):
    recorded.write("model.py", "SCORES = [1] * 100\n")
    result = recorded.pytest("--aiperf")
    assert result.ret == 1
    assert recorded.rows("test_model.py::test_accuracy")["accuracy"] == ("anomalous", "too_good")
    output = " ".join(result.stdout.str().split())
    assert "if it is real, store it: pytest --aiperf-update test_model.py::test_accuracy" in output
    assert recorded.pytest("--aiperf-update", "test_model.py::test_accuracy").ret == 0
    assert '"value": 1' in recorded.baseline().read_text()
    assert recorded.pytest("--aiperf", CI="1").ret == 0


def test_it_refuses_percent_as_the_default_limit_before_any_test_runs(recorded):
    result = recorded.pytest("--aiperf", "--aiperf-min-accuracy=95")
    assert result.ret == 4
    assert "expected a fraction between 0 and 1 (0.95 is 95 %), got '95'" in result.stderr.str()
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


SKIPPING = """
import pytest

@pytest.fixture
def session():
    pytest.skip("no runtime")

def test_accuracy(aiperf, session):
    aiperf.score([1])
"""


@pytest.mark.parametrize("arguments", [(), ("-q",), ("-n2",)], ids=["alone", "quiet", "xdist"])
def test_it_names_the_tests_with_baselines_that_were_skipped_and_stays_green(recorded, arguments):
    whole_module = recorded.baseline("test_whole_module.py")
    whole_module.write_text(recorded.baseline().read_text())
    recorded.write("test_model.py", SKIPPING)
    recorded.write("test_whole_module.py", f"import pytest\npytest.importorskip('no_such_runtime')\n{MODEL}")
    recorded.write("test_other.py", "def test_it(): pass\n")
    result = recorded.pytest("--aiperf", *arguments, CI="1")
    assert result.ret == 0, result.stdout.str()
    told = " ".join(result.stdout.str().split())
    both = "test_model.py::test_accuracy, test_whole_module.py::test_accuracy"
    assert f"note: 2 tests with baselines were skipped: {both}" in told


def test_it_says_why_a_quiet_run_fails(recorded):
    recorded.write("test_model.py", MODEL.replace("test_accuracy", "test_quality"))
    assert recorded.pytest("--aiperf-update-new-only", "-q").ret == 0
    recorded.write("blocked", "a file where a folder should be")
    result = recorded.pytest("--aiperf", "-q", "--aiperf-report=json:blocked/out.json", CI="1")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "aiperf: report json:blocked/out.json was not written*",
            "aiperf: unused baselines fail this run: test_model.py::test_accuracy; drop them*",
        ]
    )


def test_it_passes_where_nothing_can_be_kept(recorded):
    folder = recorded.root / ".aiperf"
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("a file where a folder should be")
    result = recorded.pytest("--aiperf", CI="1")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["note: the last run is not kept for `pytest-aiperf show`*"])

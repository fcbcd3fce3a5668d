"""Baselines: recorded, compared, renewed, refused; each state has its own clear answer."""

from __future__ import annotations

import json
import sys

import pytest

pytestmark = pytest.mark.slow

MODEL = """
import time
import pytest

def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass

@pytest.mark.max_latency_ms(500)
def test_speed(aiperf):
    aiperf.call(spin, 0.002)

def test_accuracy(aiperf):
    aiperf.score([1] * 90 + [0] * 10)
"""


@pytest.fixture
def recorded(project):
    project.write("test_model.py", MODEL)
    assert project.pytest("--aiperf-update").ret == 0
    return project


def test_it_answers_new_without_a_baseline_and_names_the_command(project):
    project.write("test_model.py", MODEL)
    result = project.pytest("--aiperf")
    assert result.ret == 0
    assert project.rows("test_model.py::test_accuracy")["accuracy"] == ("new", "no_baseline")
    result.stdout.fnmatch_lines(["*--aiperf-update*"])


def test_it_fails_a_new_test_under_ci_with_the_command_that_records_it(project):
    project.write("test_model.py", MODEL)
    result = project.pytest("--aiperf", CI="1")
    assert result.ret == 1
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*pytest --aiperf-update test_model.py::test_accuracy*"])


def test_it_records_and_then_passes(recorded):
    stored = json.loads(recorded.baseline().read_text())
    assert sorted(stored["tests"]) == ["test_accuracy", "test_speed"]
    result = recorded.pytest("--aiperf", CI="1")
    assert result.ret == 0, result.stdout.str()
    assert recorded.rows("test_model.py::test_accuracy")["accuracy"][0] == "passed"


def test_it_appends_a_session_at_every_update_and_keeps_twenty(recorded, edit):
    for _ in range(2):
        assert recorded.pytest("--aiperf-update").ret == 0
    text = recorded.baseline().read_text()
    assert text.count('"latency"') == 3


def test_it_fails_worse_accuracy_example_by_example(recorded, edit):
    edit("test_model.py", "def test_accuracy(aiperf):", "BAD = 1\n\ndef test_accuracy(aiperf):")
    recorded.write("model.py", "SCORES = [1] * 90 + [0] * 10\n")
    edit("test_model.py", "aiperf.score([1] * 90 + [0] * 10)", "import model; aiperf.score(model.SCORES)")
    assert recorded.pytest("--aiperf-update").ret == 0
    recorded.write("model.py", "SCORES = [1] * 75 + [0] * 25\n")
    result = recorded.pytest("--aiperf")
    assert result.ret == 1
    assert recorded.rows("test_model.py::test_accuracy")["accuracy"][0] == "regressed"
    result.stdout.fnmatch_lines(["*15 newly wrong*"])


def test_it_refuses_to_store_worse_accuracy_unless_told_to(recorded, edit):
    recorded.write("model.py", "SCORES = [1] * 90 + [0] * 10\n")
    edit("test_model.py", "aiperf.score([1] * 90 + [0] * 10)", "import model; aiperf.score(model.SCORES)")
    assert recorded.pytest("--aiperf-update").ret == 0
    recorded.write("model.py", "SCORES = [1] * 75 + [0] * 25\n")
    before = recorded.baseline().read_text()
    refused = recorded.pytest("--aiperf-update", "-k", "accuracy")
    assert refused.ret == 1
    assert recorded.baseline().read_text() == before
    accepted = recorded.pytest("--aiperf-update", "--aiperf-accept-worse", "-k", "accuracy")
    assert accepted.ret == 0
    assert (
        json.loads(recorded.baseline().read_text())["tests"]["test_accuracy"]
        != json.loads(before)["tests"]["test_accuracy"]
    )
    accepted.stdout.fnmatch_lines(["*0.9*->*0.75*"])


def test_it_says_when_the_source_of_a_test_changed(recorded, edit):
    edit("test_model.py", "aiperf.call(spin, 0.002)", "aiperf.call(spin, 0.004)")
    result = recorded.pytest("--aiperf")
    assert result.ret == 0
    assert recorded.rows("test_model.py::test_speed")["latency p50"] == ("inconclusive", "stale_source")
    assert recorded.pytest("--aiperf", CI="1").ret == 1


def test_it_does_not_call_a_changed_limit_a_changed_source(recorded, edit):
    edit("test_model.py", "max_latency_ms(500)", "max_latency_ms(400)")
    recorded.pytest("--aiperf")
    assert recorded.rows("test_model.py::test_speed")["latency p50"][1] != "stale_source"


def test_it_calls_another_machine_class_inconclusive_and_never_fails_it_by_default(recorded):
    result = recorded.pytest("--aiperf", "--aiperf-machine=elsewhere", CI="1")
    assert result.ret == 0
    assert recorded.rows("test_model.py::test_speed")["latency p50"] == ("inconclusive", "other_machine")
    assert recorded.rows("test_model.py::test_accuracy")["accuracy"][0] == "passed"
    assert recorded.pytest("--aiperf", "--aiperf-machine=elsewhere", "--aiperf-inconclusive=fail").ret == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"format": 99, "machines": {}, "tests": {}}', "newer"),
        ('{"format": 1, "tests": {', "test_model.json"),
        ("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> main\n", "merge"),
    ],
)
def test_it_says_what_is_wrong_with_a_broken_file_and_leaves_it_alone(recorded, content, says):
    recorded.baseline().write_text(content)
    for arguments in (("--aiperf",), ("--aiperf-update",)):
        result = recorded.pytest(*arguments)
        output = result.stdout.str() + result.stderr.str()
        assert result.ret == 1
        assert says in output
        assert "INTERNALERROR" not in output
        assert recorded.baseline().read_text() == content


def test_it_reports_a_deleted_test_as_unused_and_drops_it_at_the_next_update(recorded, edit):
    edit("test_model.py", "def test_accuracy(aiperf)", "def test_quality(aiperf)")
    recorded.pytest("--aiperf-update", "-k", "quality")
    result = recorded.pytest("--aiperf")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*unused*", "*test_model.py::test_accuracy*"])
    assert recorded.pytest("--aiperf", CI="1").ret == 1
    assert recorded.pytest("--aiperf", "--aiperf-unused=warn", CI="1").ret == 0
    recorded.pytest("--aiperf-update", "--aiperf-no-cleanup")
    assert "test_accuracy" in recorded.baseline().read_text()
    recorded.pytest("--aiperf-update")
    assert "test_accuracy" not in recorded.baseline().read_text()


DEVICES = """
import os
import pytest

@pytest.mark.parametrize("device", os.environ["DEVICES"].split())
def test_net(aiperf, device):
    aiperf.call(sum, range(1000))
    aiperf.score([1, 1, 0])
"""


def test_it_keeps_the_baselines_of_tests_that_exist_on_other_machines_only(project):
    project.write("test_model.py", DEVICES)
    project.pytest("--aiperf-update", "--aiperf-machine=gpu", DEVICES="cpu cuda")
    project.pytest("--aiperf-update", "--aiperf-machine=cpu", DEVICES="cpu")
    stored = json.loads(project.baseline().read_text())["tests"]
    assert {test: sorted(entries[""]["sessions"]) for test, entries in stored.items()} == {
        "test_net[cpu]": ["cpu", "gpu"],
        "test_net[cuda]": ["gpu"],
    }
    assert project.pytest("--aiperf", "--aiperf-machine=cpu", DEVICES="cpu", CI="1").ret == 0
    assert project.pytest("--aiperf", "--aiperf-machine=gpu", DEVICES="cpu", CI="1").ret == 1
    project.pytest("--aiperf-update", "--aiperf-machine=gpu", DEVICES="cpu")
    assert list(json.loads(project.baseline().read_text())["tests"]) == ["test_net[cpu]"]


def test_it_judges_an_exported_model_that_was_replaced_and_stores_its_hash_with_the_next_session(project):
    model = "from pathlib import Path\n\ndef test_load(aiperf):\n    aiperf.load(lambda: Path('m.bin').read_bytes()"
    project.write("test_model.py", f"{model}, files=['m.bin'])\n    aiperf.score([1, 1, 0])\n")
    project.write("m.bin", "first")
    assert project.pytest("--aiperf-update").ret == 0
    before = json.loads(project.baseline().read_text())["tests"]["test_load"][""]
    project.write("m.bin", "other")
    result = project.pytest("--aiperf", "--aiperf-details", CI="1")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["*model file m.bin changed since the baseline*"])
    project.pytest("--aiperf-update")
    after = json.loads(project.baseline().read_text())["tests"]["test_load"][""]
    assert after["files"].keys() == before["files"].keys()
    assert after["files"] != before["files"]
    assert [len(run) for run in after["sessions"].values()] == [2]


def test_it_reports_the_baselines_of_a_deleted_module(recorded):
    (recorded.root / "test_model.py").unlink()
    recorded.write("test_other.py", "def test_it(): pass\n")
    result = recorded.pytest("--aiperf")
    result.stdout.fnmatch_lines(["*test_model.py::test_accuracy*"])
    recorded.pytest("--aiperf-update")
    assert not recorded.baseline().exists()


@pytest.mark.parametrize(
    "arguments",
    [("-k", "speed"), ("test_model.py::test_speed",), ("--lf",), ("--deselect", "test_model.py::test_speed")],
    ids=" ".join,
)
def test_it_reports_and_deletes_nothing_after_a_subset_run(recorded, edit, arguments):
    edit("test_model.py", "def test_accuracy(aiperf)", "def test_quality(aiperf)")
    result = recorded.pytest("--aiperf", *arguments)
    assert "unused" not in result.stdout.str()
    recorded.pytest("--aiperf-update", *arguments)
    assert "test_accuracy" in recorded.baseline().read_text()


def test_it_writes_only_what_is_missing_when_told_new_only(recorded, edit):
    recorded.write("test_second.py", "def test_second(aiperf):\n    aiperf.score([1, 1])\n")
    before = recorded.baseline().read_text().replace('"disturbed": true, ', "")  # a disturbed session counts as missing
    recorded.baseline().write_text(before)
    assert recorded.pytest("--aiperf-update-new-only").ret == 0
    assert recorded.baseline().read_text() == before
    assert recorded.baseline("test_second.py").exists()


def test_it_accepts_the_last_run_without_measuring_again(project):
    project.write("test_model.py", MODEL)
    project.pytest("--aiperf")
    done = project.pytester.run(sys.executable, "-m", "pytest_aiperf.cli", "accept", "accuracy")
    assert done.ret == 0
    stored = json.loads(project.baseline().read_text())
    assert sorted(stored["tests"]) == ["test_accuracy"]
    shown = project.pytester.run(sys.executable, "-m", "pytest_aiperf.cli", "show")
    assert shown.ret == 0
    shown.stdout.fnmatch_lines(["*latency p50*"])


def test_it_loses_nothing_when_four_processes_measure_one_file(project):
    project.write(
        "test_model.py",
        """
import pytest

@pytest.mark.parametrize("number", range(200))
def test_it(aiperf, number):
    aiperf.score([1, 0, 1])
""",
    )
    assert project.pytest("--aiperf-update", "-n4").ret == 0
    assert len(json.loads(project.baseline().read_text())["tests"]) == 200
    assert project.pytest("--aiperf", "-n2", CI="1").ret == 0


def test_it_divides_nothing_by_a_zero_baseline(recorded):
    text = recorded.baseline().read_text()
    stored = json.loads(text)
    sessions = json.dumps(stored)
    assert '"latency"' in sessions
    import re

    recorded.baseline().write_text(re.sub(r'"latency": [0-9.e-]+', '"latency": 0', text))
    result = recorded.pytest("--aiperf")
    assert "INTERNALERROR" not in result.stdout.str()
    assert recorded.rows("test_model.py::test_speed")["latency p50"][0] == "inconclusive"


def test_it_fails_a_gross_slowdown_that_a_fresh_process_confirms(recorded, edit):
    recorded.write("pace.py", "SECONDS = 0.002\n")
    edit("test_model.py", "aiperf.call(spin, 0.002)", "import pace; aiperf.call(spin, pace.SECONDS)")
    for _ in range(6):
        assert recorded.pytest("--aiperf-update").ret == 0
    text = recorded.baseline().read_text()
    recorded.baseline().write_text(text.replace('"disturbed": true, ', ""))  # the pace is exact however busy this is
    assert recorded.pytest("--aiperf").ret == 0
    recorded.write("pace.py", "SECONDS = 0.02\n")
    result = recorded.pytest("--aiperf")
    verdict = recorded.rows("test_model.py::test_speed")["latency p50"]
    if verdict in {("inconclusive", "disturbed"), ("inconclusive", "unconfirmed")}:
        assert result.ret == 0
        pytest.skip(f"other processes disturbed this machine, and the verdict says so: {verdict[1]}")
    assert verdict == ("regressed", "slower")
    assert result.ret == 1

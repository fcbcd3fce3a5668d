"""Baselines: recorded, compared, renewed, refused; each state has its own clear answer."""

from __future__ import annotations

import json
import re
import sys

import pytest

pytestmark = pytest.mark.slow

MODEL = """
import pytest
import model
from exact_clock import nap

@pytest.mark.max_latency_ms(500)
def test_speed(aiperf):
    aiperf.call(nap, model.SECONDS)

@pytest.mark.max_latency_ms(500)
def test_pace(aiperf):
    aiperf.call(nap, 0.001)

def test_accuracy(aiperf):
    aiperf.score(model.SCORES)
"""
SCORES = "SECONDS, SCORES = 0.002, [1] * 90 + [0] * 10\n"
WORSE = "SECONDS, SCORES = 0.002, [1] * 75 + [0] * 25\n"


@pytest.fixture
def project(project):
    project.runs_on("calm_machine", "exact_clock")
    return project


@pytest.fixture
def written(project):
    project.write("model.py", SCORES)
    project.write("test_model.py", MODEL)
    return project


@pytest.fixture
def recorded(written):
    written.record()
    return written


def test_it_answers_new_without_a_baseline_and_names_the_command(written):
    project = written
    result = project.pytest("--aiperf")
    assert result.ret == 0
    assert project.rows("test_model.py::test_accuracy")["accuracy"] == ("new", "no_baseline")
    result.stdout.fnmatch_lines(["*--aiperf-update*"])


def test_it_fails_a_new_test_under_ci_with_the_command_that_records_it(written):
    project = written
    result = project.pytest("--aiperf", CI="1")
    assert result.ret == 1
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["*pytest --aiperf-update test_model.py::test_accuracy*"])


def test_it_records_and_then_passes(recorded):
    stored = json.loads(recorded.baseline().read_text())
    assert sorted(stored["tests"]) == ["test_accuracy", "test_pace", "test_speed"]
    result = recorded.pytest("--aiperf", CI="1")
    assert result.ret == 0, result.stdout.str()
    assert recorded.rows("test_model.py::test_accuracy")["accuracy"][0] == "passed"


def test_it_appends_a_session_at_every_update(recorded):
    assert recorded.pytest("--aiperf-update").ret == 0
    assert recorded.baseline().read_text().count('"latency"') == 2 * 2


def test_it_fails_worse_accuracy_example_by_example_and_refuses_to_store_it_unless_told_to(recorded):
    recorded.write("model.py", WORSE)
    before = recorded.baseline().read_text()
    result = recorded.pytest("--aiperf")
    assert result.ret == 1
    assert recorded.rows("test_model.py::test_accuracy")["accuracy"][0] == "regressed"
    result.stdout.fnmatch_lines(["*15 newly wrong*"])
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


def test_it_says_when_the_source_of_a_test_changed_but_not_of_a_changed_limit(recorded, edit):
    edit("test_model.py", "aiperf.call(nap, model.SECONDS)", "aiperf.call(nap, 2 * model.SECONDS)")
    edit("test_model.py", "max_latency_ms(500)\ndef test_pace", "max_latency_ms(400)\ndef test_pace")
    result = recorded.pytest("--aiperf")
    assert result.ret == 0
    assert recorded.rows("test_model.py::test_speed")["latency p50"] == ("inconclusive", "stale_source")
    assert recorded.rows("test_model.py::test_pace")["latency p50"][1] != "stale_source"
    assert recorded.pytest("--aiperf", CI="1").ret == 1


def test_it_calls_another_machine_class_inconclusive_and_never_fails_it_by_default(recorded):
    result = recorded.pytest("--aiperf", "--aiperf-machine=elsewhere", CI="1")
    assert result.ret == 0
    assert recorded.rows("test_model.py::test_speed")["latency p50"] == ("inconclusive", "other_machine")
    assert recorded.rows("test_model.py::test_accuracy")["accuracy"][0] == "passed"
    assert recorded.pytest("--aiperf", "--aiperf-machine=elsewhere", "--aiperf-inconclusive=fail").ret == 1


BROKEN = {
    "test_future.py": ('{"format": 99, "machines": {}, "tests": {}}', "newer"),
    "test_cut_off.py": ('{"format": 1, "tests": {', "test_cut_off.json"),
    "test_merged.py": ("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> main\n", "merge"),
}


def test_it_says_what_is_wrong_with_a_broken_file_and_leaves_it_alone(project):
    for module, (content, _) in BROKEN.items():
        project.write(module, "def test_it(aiperf):\n    aiperf.score([1, 0])\n")
        project.write(str(project.baseline(module).relative_to(project.root)), content)
    for arguments in (("--aiperf",), ("--aiperf-update",)):
        result = project.pytest(*arguments)
        output = result.stdout.str() + result.stderr.str()
        assert result.ret == 1
        assert "INTERNALERROR" not in output
        for module, (content, says) in BROKEN.items():
            assert says in output
            assert project.baseline(module).read_text() == content


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
from exact_clock import nap

@pytest.mark.parametrize("device", os.environ["DEVICES"].split())
def test_net(aiperf, device):
    aiperf.call(nap, 0.001)
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
    briefly = "--aiperf-processes=1"
    assert project.pytest("--aiperf-update", briefly).ret == 0
    before = json.loads(project.baseline().read_text())["tests"]["test_load"][""]
    project.write("m.bin", "other")
    result = project.pytest("--aiperf", "--aiperf-details", briefly, CI="1")
    assert result.ret == 0, result.stdout.str()
    result.stdout.fnmatch_lines(["*model file m.bin changed since the baseline*"])
    project.pytest("--aiperf-update", briefly)
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


def test_it_reports_and_deletes_nothing_after_a_subset_run(recorded, edit):
    edit("test_model.py", "def test_accuracy(aiperf)", "def test_quality(aiperf)")
    subsets = (("-k", "speed"), ("test_model.py::test_speed",), ("--lf",), ("--deselect", "test_model.py::test_speed"))
    for arguments in subsets:
        result = recorded.pytest("--aiperf-update", *arguments)
        assert "unused" not in result.stdout.str()
        assert "test_accuracy" in recorded.baseline().read_text()
    assert "unused" not in recorded.pytest("--aiperf", *subsets[0]).stdout.str()


def test_it_writes_only_what_is_missing_when_told_new_only(recorded, edit):
    recorded.write("test_second.py", "def test_second(aiperf):\n    aiperf.score([1, 1])\n")
    before = recorded.baseline().read_text()
    assert recorded.pytest("--aiperf-update-new-only").ret == 0
    assert recorded.baseline().read_text() == before
    assert recorded.baseline("test_second.py").exists()


def test_it_accepts_the_last_run_without_measuring_again(written):
    project = written
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

@pytest.mark.parametrize("number", range(100))
def test_it(aiperf, number):
    aiperf.score([1, 0, 1])
""",
    )
    assert project.pytest("--aiperf-update", "-n4").ret == 0
    assert len(json.loads(project.baseline().read_text())["tests"]) == 100
    assert project.pytest("--aiperf", "-n2", CI="1").ret == 0


def test_it_divides_nothing_by_a_zero_baseline(recorded):
    text = recorded.baseline().read_text()
    assert '"latency"' in text
    recorded.baseline().write_text(re.sub(r'"latency": [0-9.e-]+', '"latency": 0', text))
    result = recorded.pytest("--aiperf")
    assert "INTERNALERROR" not in result.stdout.str()
    assert recorded.rows("test_model.py::test_speed")["latency p50"][0] == "inconclusive"


def test_it_fails_a_gross_slowdown_that_a_fresh_process_confirms(recorded):
    stored = json.loads(recorded.baseline().read_text())
    for entries in stored["tests"].values():
        for machine, sessions in entries[""].get("sessions", {}).items():
            entries[""]["sessions"][machine] = sessions * 7
    recorded.baseline().write_text(json.dumps(stored))
    assert recorded.pytest("--aiperf").ret == 0
    recorded.write("model.py", SCORES.replace("0.002", "0.02"))
    result = recorded.pytest("--aiperf")
    assert recorded.rows("test_model.py::test_speed")["latency p50"] == ("regressed", "slower")
    assert result.ret == 1

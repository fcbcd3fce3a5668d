"""What is no value, and what is no baseline for it."""

from __future__ import annotations

import math

import pytest

from pytest_aiperf.vocabulary.records import Policy
from pytest_aiperf.vocabulary.terms import Status
from tests.judging.worlds import (
    MIB,
    TEST,
    baseline,
    limit,
    measured,
    only,
    seen,
    session,
    sessions_of,
    steady,
    verdicts,
    word,
)

FAST = steady("latency", 2e-3)
BASE = baseline(sessions=sessions_of("latency", [2e-3] * 20), source="s1", files={"net.onnx": "f1"})
NEW_FAILS = Policy(new_fails=True)
INCONCLUSIVE_FAILS = Policy(inconclusive_fails=True)
CI = Policy(new_fails=True, inconclusive_fails=True)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("metric", ["latency", "model_size", "accuracy", "ram", "load_warm", "ram_file"])
def test_it_passes_nothing_that_is_not_finite(metric, bad):
    row = only(measured(seen(metric, 1.0, bad, 1.0)), limits=[limit(metric, 1e12)])
    assert word(row) == "anomalous: not_finite (fails)"
    assert "1 of 3 values" in row.message


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [
        ("latency", 0.0, "anomalous: not_positive (fails)"),
        ("throughput", 0.0, "anomalous: not_positive (fails)"),
        ("load_cold", -1.0, "anomalous: not_positive (fails)"),
        ("model_size", -1.0, "anomalous: negative (fails)"),
        ("ram", 0.0, "new: no_baseline"),
        ("gpu_allocated", 0.0, "new: no_baseline"),
    ],
)
def test_it_passes_no_impossible_value(metric, value, expected):
    assert word(only(measured(seen(metric, value)))) == expected


@pytest.mark.parametrize(
    ("base", "reason"),
    [
        (None, "no_baseline"),
        (baseline(sessions=[session({"throughput": 5.0})]), "no_baseline_for_metric"),
        (baseline(portable={"model_size": MIB}), "no_baseline_for_metric"),
    ],
)
@pytest.mark.parametrize(("policy", "fails"), [(Policy(), False), (INCONCLUSIVE_FAILS, False), (NEW_FAILS, True)])
def test_it_calls_a_test_without_a_baseline_new_and_says_how_to_record_one(base, reason, policy, fails):
    row = verdicts(measured(FAST), base, policy=policy)[0]
    assert (row.status, row.reason, row.fails) == (Status.NEW, reason, fails)
    assert f"pytest --aiperf-update {TEST}" in row.remedy


def test_it_quotes_a_node_id_that_a_shell_would_read_otherwise():
    measurement = measured(FAST)
    odd = type(measurement)(test="t.py::test[a b]", label="", samples=measurement.samples, taken_at="")
    assert "pytest --aiperf-update 't.py::test[a b]'" in only(odd).remedy


STALE_POLICIES = [(Policy(), False), (INCONCLUSIVE_FAILS, True), (NEW_FAILS, True)]


@pytest.mark.parametrize(("policy", "fails"), STALE_POLICIES)
def test_it_compares_nothing_with_the_baseline_of_another_test_source(policy, fails):
    row = only(measured(steady("latency", 9e-3), source="s2"), BASE, policy=policy)
    assert (row.status, row.reason, row.fails) == (Status.INCONCLUSIVE, "stale_source", fails)
    assert f"pytest --aiperf-update {TEST}" in row.remedy
    accuracy = only(measured(seen("accuracy", 0.1), source="s2"), baseline(portable={"accuracy": 0.9}, source="s1"))
    assert accuracy.reason == "stale_source"


@pytest.mark.parametrize(
    ("metric", "same", "worse"), [("latency", 2e-3, 9e-3), ("load_warm", 1.0, 3.0), ("ram", 100 * MIB, 300 * MIB)]
)
def test_it_judges_times_and_memory_of_a_replaced_model_file_and_notes_the_change(metric, same, worse):
    """The model is what is under test: a re-export that is as good as the old one passes, under CI too."""
    base = baseline(sessions=sessions_of(metric, [same] * 20), files={"net.onnx": "f1"})
    for value, status in ((same, Status.PASSED), (worse, Status.REGRESSED)):
        samples = [steady(metric, value), *[seen(metric, value, value, value, value, value, fresh=True)]]
        row = only(measured(*samples, files={"net.onnx": "f2"}), base, policy=CI)
        assert (row.status, row.fails) == (status, status is Status.REGRESSED)
        assert "model file net.onnx changed since the baseline" in row.notes


def test_it_notes_no_change_where_nothing_was_compared():
    row = only(measured(FAST, source="s2", files={"net.onnx": "f2"}), BASE)
    assert (row.reason, row.notes) == ("stale_source", ())


def test_it_compares_accuracy_across_model_files_and_notes_the_change():
    base = baseline(portable={"accuracy": 0.9}, files={"net.onnx": "f1"})
    row = only(measured(seen("accuracy", 0.8), files={"net.onnx": "f2"}), base)
    assert row.status is Status.REGRESSED
    assert "model file net.onnx changed since the baseline" in row.notes


@pytest.mark.parametrize(
    ("source", "files"), [(None, {}), ("s1", {"net.onnx": "f1"}), ("s1", {}), (None, {"net.onnx": "f1"})]
)
def test_it_takes_an_unknown_source_or_file_for_the_same(source, files):
    assert only(measured(FAST, source=source, files=files), BASE).status is Status.PASSED


def test_it_judges_limits_of_a_stale_test():
    measurement = measured(steady("latency", 9e-3), steady("latency", 9e-3, fresh=True), source="s2")
    rows = verdicts(measurement, BASE, limits=[limit("latency", 5e-3)])
    assert [word(row) for row in rows] == ["inconclusive: stale_source", "over_limit: over_limit (fails)"]


@pytest.mark.parametrize(("policy", "fails"), [(Policy(), False), (NEW_FAILS, False), (INCONCLUSIVE_FAILS, True)])
def test_it_compares_no_times_between_machine_classes_and_fails_no_build_for_it(policy, fails):
    base = baseline(portable={"model_size": 100 * MIB}, other_classes=2)
    row, size = verdicts(measured(FAST, seen("model_size", 100 * MIB)), base, policy=policy)
    assert (row.status, row.reason, row.fails) == (Status.INCONCLUSIVE, "other_machine", fails)
    assert "cpu-2" in row.message
    assert size.status is Status.PASSED


def test_it_compares_nothing_with_disturbed_sessions():
    base = baseline(sessions=[session({"latency": 2e-3}, disturbed=True)])
    assert word(only(measured(FAST), base)) == "inconclusive: disturbed_baseline"


def test_it_compares_no_time_with_zero():
    assert word(only(measured(FAST), baseline(sessions=[session({"latency": 0.0})]))) == "inconclusive: zero_baseline"


@pytest.mark.parametrize(
    ("required", "limits", "expected"),
    [
        ((), [limit("gpu_allocated", 500)], "unmeasured: unmeasurable"),
        (("gpu",), [limit("gpu_allocated", 500)], "unmeasured: unmeasurable (fails)"),
        (("gpu",), [], "unmeasured: unmeasurable (fails)"),
        (("ram",), [limit("gpu_allocated", 500)], "unmeasured: unmeasurable"),
    ],
)
def test_it_reports_what_this_machine_cannot_measure(required, limits, expected):
    sample = seen("gpu_allocated", notes=("no GPU",))
    row = only(measured(sample), limits=limits, policy=Policy(new_fails=True, required=frozenset(required)))
    assert word(row) == expected
    assert "no GPU" in row.message


def test_it_says_nothing_of_an_unmeasurable_figure_that_nobody_expects():
    assert verdicts(measured(seen("gpu_allocated", notes=("no GPU",)))) == ()


@pytest.mark.parametrize(
    ("base", "limits", "expected"),
    [
        (None, [], "anomalous: child_failed"),
        (None, [limit("load_warm", 1.0)], "anomalous: child_failed (fails)"),
        (baseline(sessions=[session({"load_warm": 1.0})]), [], "anomalous: child_failed (fails)"),
    ],
)
def test_it_fails_for_a_fresh_process_that_died_where_somebody_relies_on_it(base, limits, expected):
    died = seen("load_warm", fresh=True, failure="killed by signal 9 while loading")
    row = only(measured(seen("load_warm", 0.1, fresh=True), died), base, limits=limits)
    assert word(row) == expected
    assert row.message == "killed by signal 9 while loading"

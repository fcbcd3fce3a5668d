"""The rows of a measurement: what is compared, what is not, and which of it fails a test."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_aiperf.judging.judge import session_variance
from pytest_aiperf.vocabulary.records import Policy
from pytest_aiperf.vocabulary.terms import Status
from tests.judging.worlds import (
    METRICS,
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


def test_it_gives_one_row_per_metric_in_the_order_of_the_samples():
    rows = verdicts(measured(FAST, steady("throughput", 500), seen("accuracy", 1.0, 0.0), seen("ram_file", 5.0)))
    assert [(row.metric, row.title) for row in rows] == [
        ("latency", "latency p50"),
        ("throughput", "throughput"),
        ("accuracy", "accuracy"),
    ]
    assert [row.now for row in rows] == [2e-3, 500, 0.5]


def test_it_reports_each_anomaly_of_the_measurement():
    rows = verdicts(measured(FAST, anomalies=("12 nodes fell back to the CPU", "no CUDA")), BASE)
    assert [word(row) for row in rows] == ["anomalous: anomaly (fails)"] * 2 + ["passed: within_margin"]
    assert rows[0].message == "12 nodes fell back to the CPU"


def test_it_merges_a_passed_limit_into_the_baseline_row():
    (row,) = verdicts(measured(FAST), BASE, limits=[limit("latency", 0.02)])
    assert word(row) == "passed: within_margin"
    assert (row.limit, row.limit_source) == (0.02, "max_latency(0.02)")
    assert row.baseline == pytest.approx(2e-3)
    assert row.worse_by is not None


def test_it_shows_only_the_limit_that_fails_next_to_what_the_value_was():
    slow = baseline(sessions=sessions_of("latency", [0.03] * 20))
    measurement = measured(steady("latency", 0.03), steady("latency", 0.03, fresh=True))
    (row,) = verdicts(measurement, slow, limits=[limit("latency", 0.02)])
    assert word(row) == "over_limit: over_limit (fails)"
    assert (row.limit, row.baseline) == pytest.approx((0.02, 0.03))
    assert row.worse_by.mid == pytest.approx(0, abs=1e-12)


def test_it_shows_only_the_regression_where_the_limit_holds():
    measurement = measured(steady("latency", 4e-3), steady("latency", 4e-3, fresh=True))
    (row,) = verdicts(measurement, BASE, limits=[limit("latency", 0.02)])
    assert word(row) == "regressed: slower (fails)"
    assert (row.limit, row.limit_source) == (0.05, None)


def test_it_shows_both_where_both_fail():
    measurement = measured(steady("latency", 0.04), steady("latency", 0.04, fresh=True))
    rows = verdicts(measurement, BASE, limits=[limit("latency", 0.02)])
    assert [word(row) for row in rows] == ["regressed: slower (fails)", "over_limit: over_limit (fails)"]


def test_it_applies_a_limit_with_a_label_to_that_label_only():
    labelled = limit("model_size", 1.0, label="int8")
    assert only(measured(seen("model_size", 2.0)), limits=[labelled]).status is Status.NEW
    other = measured(seen("model_size", 2.0))
    int8 = type(other)(test=TEST, label="int8", samples=other.samples, taken_at="")
    assert [row.status for row in verdicts(int8, limits=[labelled])] == [Status.OVER_LIMIT], "one row says enough"


def test_it_knows_how_much_sessions_differ_after_what_the_reference_workload_explains():
    metric = METRICS["latency"]
    logs = np.array([0.0, 0.02, -0.02, 0.03, -0.01, 0.01])
    assert session_variance(baseline(sessions=sessions_of("latency", np.exp(logs))), metric) == pytest.approx(
        np.var(logs, ddof=1)
    )
    explained = baseline(sessions=sessions_of("latency", np.exp(logs), list(logs)))
    assert session_variance(explained, metric) < np.var(logs, ddof=1) / 5
    assert session_variance(baseline(sessions=sessions_of("latency", [1.0, 1.1])), metric) is None
    assert session_variance(baseline(), metric) is None


def test_it_lets_nothing_that_can_still_be_settled_fail_a_test():
    """Before the last look, only what is certain fails."""
    suspicious = measured(
        steady("latency", 9.0),
        steady("throughput", 1.0),
        seen("load_warm", 9.0, fresh=True),
        seen("ram", 900 * MIB),
        seen("gpu_allocated", 900 * MIB),
    )
    stored = {"latency": 1.0, "throughput": 9.0, "load_warm": 1.0, "ram": 100 * MIB}
    base = baseline(sessions=[session(stored)] * 20, portable={"gpu_allocated": 100 * MIB})
    strict = Policy(inconclusive_fails=True, new_fails=True, required=frozenset({"gpu"}))
    limits = [limit(name, 2.0) for name in ("latency", "throughput", "load_warm", "ram", "gpu_allocated")]
    rows = verdicts(suspicious, base, policy=strict, limits=limits, final=False)
    assert len(rows) >= 9
    assert {(row.reason, row.fails) for row in rows} == {("unconfirmed", False)}
    assert all(row.needs is not None for row in rows)
    assert any(row.fails for row in verdicts(suspicious, base, policy=strict, limits=limits))
    assert all(row.needs is None for row in verdicts(suspicious, base, policy=strict, limits=limits))

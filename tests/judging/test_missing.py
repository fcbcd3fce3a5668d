"""What nothing measured."""

from __future__ import annotations

import pytest

from pytest_aiperf.judging.missing import unmatched
from pytest_aiperf.vocabulary.records import Policy
from pytest_aiperf.vocabulary.terms import Status, Unit
from tests.judging.worlds import (
    METRICS,
    MIB,
    baseline,
    limit,
    measured,
    seen,
    session,
    sessions_of,
    steady,
    verdicts,
    word,
)

FAST = steady("latency", 2e-3)
BASE = baseline(sessions=sessions_of("latency", [2e-3] * 20), source="s1", files={"net.onnx": "f1"})


@pytest.mark.parametrize(("policy", "fails"), [(Policy(), False), (Policy(new_fails=True), True)])
def test_it_misses_a_metric_that_only_the_baseline_has(policy, fails):
    base = baseline(sessions=[*BASE.sessions], portable={"f1": 0.9, "model_size": 5 * MIB})
    rows = verdicts(measured(FAST), base, policy=policy)
    assert [row.metric for row in rows] == ["latency", "f1", "model_size"]
    assert [word(row) for row in rows[1:]] == [f"unmeasured: gone{' (fails)' if fails else ''}"] * 2
    assert (rows[1].title, rows[1].unit, rows[2].title) == ("f1", Unit.NUMBER, "model size")


def test_it_misses_no_figure_that_is_only_shown_nor_one_that_an_older_session_had():
    base = baseline(sessions=[session({"latency": 2e-3, "throughput": 5.0}), session({"latency": 2e-3, "ram_file": 1})])
    assert [row.metric for row in verdicts(measured(FAST), base)] == ["latency"]


@pytest.mark.parametrize(
    ("metric", "required", "fails"),
    [
        ("gpu_allocated", (), False),
        ("gpu_allocated", ("gpu",), True),
        ("ram", ("gpu",), False),
        ("ram", ("ram",), True),
    ],
)
def test_it_fails_for_memory_that_only_the_baseline_has_where_it_is_required(metric, required, fails):
    base = baseline(sessions=[session({"latency": 2e-3, "ram": 5.0})] if metric == "ram" else BASE.sessions)
    base = baseline(sessions=base.sessions, portable={} if metric == "ram" else {metric: 5.0})
    policy = Policy(new_fails=True, required=frozenset(required))
    row = verdicts(measured(FAST), base, policy=policy)[-1]
    assert (row.metric, row.status, row.reason, row.fails) == (metric, Status.UNMEASURED, "unmeasurable", fails)


def test_it_fails_a_limit_that_nothing_measured():
    rows = unmatched(
        [measured(FAST, seen("gpu_allocated"))],
        [limit("latency", 1), limit("load_warm", 1), limit("gpu_allocated", 1), limit("latency", 1, label="x")],
        METRICS,
    )
    assert [(row.metric, word(row)) for row in rows] == [
        ("load_warm", "unmeasured: never_measured (fails)"),
        ("latency", "unmeasured: never_measured (fails)"),
    ]
    assert "aiperf.load(" in rows[0].message
    assert "label='x'" in rows[1].message
    assert (rows[0].title, rows[0].unit) == ("load time, warm", Unit.SECONDS)


def test_it_names_the_call_that_would_measure_a_score_that_stands_on_no_shelf():
    (row,) = unmatched([], [limit("f1", 0.9)], {})
    assert "aiperf.score(..., name='f1')" in row.message

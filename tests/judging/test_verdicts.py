"""All verdicts of a test: whose limits hold for which label, and what a run that stores lets through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_aiperf.judging import judge
from pytest_aiperf.session import limit_markers, markers
from pytest_aiperf.vocabulary.records import Criteria, Margins, Policy
from pytest_aiperf.vocabulary.terms import Status
from tests.judging.worlds import HERE, METRICS, baseline, measured, scored, seen, steady

DEFAULTS = markers.default_limits({"max_latency_ms": 20.0})


def ruled(*measurements, stores=False, limits=(), baselines=None):
    criteria = Criteria(
        margins=Margins(),
        policy=Policy(),
        limits=limits,
        default_limits=DEFAULTS,
        baselines=baselines or {},
        suite_variance=None,
        stores=stores,
    )
    return judge.verdicts(measurements, criteria, metrics=METRICS, environment=HERE, final=True)


def timed(label, seconds):
    return replace(measured(steady("latency", seconds), steady("latency", seconds, fresh=True)), label=label)


@pytest.mark.parametrize(
    ("limits", "over"),
    [
        ((), {"small", "big"}),
        ((limit_markers.max_latency_ms(500, label="small"),), {"big"}),
        ((limit_markers.max_latency_ms(500, label="elsewhere"),), {"small", "big"}),
        ((limit_markers.max_latency_ms(500),), set()),
        ((limit_markers.max_latency_ms(500, percentile=95),), {"small", "big"}),
    ],
)
def test_it_holds_every_label_without_a_limit_of_its_own_to_the_default(limits, over):
    rows = ruled(timed("small", 0.050), timed("big", 0.050), limits=limits)
    assert {row.label for row in rows if row.status is Status.OVER_LIMIT} == over


def test_it_lets_a_run_that_stores_keep_a_better_accuracy_and_still_tells_how_much_better():
    now = measured(seen("accuracy", *[1.0] * 100))
    kept = {"": baseline(portable={"accuracy": scored([0] * 50 + [1] * 50)})}
    (row,) = ruled(now, baselines=kept)
    assert (row.status, row.fails) == (Status.ANOMALOUS, True)
    (row,) = ruled(now, baselines=kept, stores=True)
    assert (row.status, row.fails) == (Status.IMPROVED, False)
    assert row.message == "0 newly wrong, 50 newly right; a gain this large is more often a leak than a better model"


def test_it_fails_a_worse_accuracy_in_a_run_that_stores_too():
    kept = {"": baseline(portable={"accuracy": scored([1] * 100)})}
    (row,) = ruled(measured(seen("accuracy", *[0.0] * 50, *[1.0] * 50)), baselines=kept, stores=True)
    assert (row.status, row.fails) == (Status.REGRESSED, True)

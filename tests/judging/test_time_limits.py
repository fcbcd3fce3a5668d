"""Limits on times."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_aiperf.judging.statistics import at_most, independent_share
from pytest_aiperf.vocabulary.terms import Evidence, Status
from tests.judging.worlds import Machine, baseline, limit, measured, only, seen, sessions_of, steady, verdicts, word

BASE = baseline(sessions=sessions_of("latency", [0.0199] * 20))


def judged(measurement, bound=0.020, *, percentile=None, metric="latency", **more):
    """The limit's row, next to a baseline row that is of no interest here."""
    rows = verdicts(measurement, limits=[limit(metric, bound, percentile=percentile)], **more)
    failing = [row for row in rows if row.status is not Status.NEW]
    return failing[0] if failing else None


@pytest.mark.parametrize(
    ("here", "fresh", "final", "expected"),
    [
        (0.010, (), False, None),
        (0.0195, (), False, "inconclusive: unconfirmed"),
        (0.0195, (), True, None),
        (0.0205, (), True, "over_limit: over_limit (fails)"),
        (0.040, (), False, "inconclusive: unconfirmed"),
        (0.040, (), True, "over_limit: over_limit (fails)"),
        (0.040, (0.040,), False, "over_limit: over_limit (fails)"),
        (0.0205, (0.0205,), False, "over_limit: over_limit (fails)"),
        (0.0205, (0.0190,), False, None),
        (0.040, (0.018,), True, "inconclusive: not_confirmed"),
    ],
)
def test_it_holds_a_limit_on_a_median(here, fresh, final, expected):
    samples = [steady("latency", here), *(steady("latency", value, fresh=True) for value in fresh)]
    row = judged(measured(*samples), final=final)
    assert (row and word(row)) == expected
    if row is not None:
        assert row.limit == 0.020
        assert row.needs is (Evidence.FRESH_TIMING if "unconfirmed" in expected else None)


@pytest.mark.parametrize(
    ("now", "status"), [(0.01999, Status.PASSED), (0.02001, Status.OVER_LIMIT)], ids=["just under", "just over"]
)
def test_it_lets_the_median_decide_within_noise_and_says_so(now, status):
    base = baseline(sessions=sessions_of("latency", [now] * 20))
    measurement = measured(steady("latency", now), steady("latency", now, fresh=True))
    (row,) = verdicts(measurement, base, limits=[limit("latency", 0.02)])
    assert row.status is status
    assert "within noise" in row.message


@pytest.mark.parametrize(("now", "failing"), [(990.0, True), (2000.0, False), (500.0, True)])
def test_it_holds_a_floor_under_a_throughput(now, failing):
    samples = steady("throughput", now), steady("throughput", now, fresh=True)
    row = judged(measured(*samples), 1000.0, metric="throughput")
    assert (row is not None and row.status is Status.OVER_LIMIT) is failing


def test_it_is_surer_of_a_test_whose_sessions_agree():
    sure = baseline(sessions=sessions_of("latency", [0.0185] * 20))
    wild = baseline(sessions=sessions_of("latency", list(0.0185 * np.exp(np.tile([-0.3, 0.3], 10)))))
    measurement = measured(steady("latency", 0.0185))
    assert only(measurement, sure, limits=[limit("latency", 0.02)], final=False, suite=0.0).needs is None
    rows = verdicts(measurement, wild, limits=[limit("latency", 0.02)], final=False, suite=0.0)
    assert Evidence.FRESH_TIMING in {row.needs for row in rows}


def test_it_judges_a_disturbed_measurement_and_notes_the_disturbance():
    measurement = measured(steady("latency", 0.04, foreign_share=0.4), steady("latency", 0.04, fresh=True, count=20))
    assert judged(measurement).notes == ()
    row = judged(measured(steady("latency", 0.04, foreign_share=0.4)))
    assert word(row) == "over_limit: over_limit (fails)"
    assert "40 % of the processors" in row.notes[0]


def test_it_prefers_what_no_neighbour_disturbed():
    disturbed, calm = steady("latency", 0.04, foreign_share=0.4), steady("latency", 0.01, fresh=True)
    assert judged(measured(disturbed, calm)) is None


def test_it_fails_hardly_any_test_that_stays_clearly_below_its_limit():
    failures = 0
    for seed in range(200):
        machine = Machine(seed)
        speed = machine.speed()
        here, fresh = (machine.process(speed, seconds=0.0185) for _ in range(2))
        row = judged(measured(seen("latency", *here), seen("latency", *fresh, fresh=True)))
        failures += row is not None and row.fails
    assert failures <= 2


def calls(over, count, *, seed=0):
    """Independent calls of 10 ms of which some take 30."""
    values = np.full(count, 0.010)
    values[np.random.default_rng(seed).permutation(count)[:over]] = 0.030
    return tuple(float(value) for value in values)


@pytest.mark.parametrize(
    ("over", "count", "expected"),
    [
        (0, 59, None),
        (0, 58, "inconclusive: too_few_samples"),
        (20, 200, "inconclusive: within_noise"),
        (26, 200, "over_limit: over_limit (fails)"),
        (10, 200, "inconclusive: within_noise"),
        (1, 200, None),
        (20, 20, "over_limit: over_limit (fails)"),
    ],
)
def test_it_holds_a_limit_on_a_percentile(over, count, expected):
    values = calls(over, count)
    row = judged(measured(seen("latency", *values)), percentile=95)
    if expected is None:
        rows = verdicts(measured(seen("latency", *values)), limits=[limit("latency", 0.02, percentile=95)])
        assert [r.status for r in rows] == [Status.NEW, Status.PASSED]
    else:
        assert word(row) == expected
        assert row.title == "latency p95"


def test_it_gives_a_percentile_a_row_of_its_own_with_its_own_figure():
    values = calls(60, 200)
    median_row, tail_row = verdicts(
        measured(seen("latency", *values), seen("latency", *values, fresh=True)),
        baseline(sessions=sessions_of("latency", [0.01] * 20)),
        limits=[limit("latency", 0.05), limit("latency", 0.02, percentile=95)],
    )
    assert (median_row.title, tail_row.title) == ("latency p50", "latency p95")
    assert (median_row.now, tail_row.now) == pytest.approx((0.010, 0.030))
    assert (median_row.status, tail_row.status) == (Status.PASSED, Status.OVER_LIMIT)


@pytest.mark.parametrize(
    ("here", "fresh", "expected"),
    [
        (100, None, "inconclusive: unconfirmed"),
        (100, 100, "over_limit: over_limit (fails)"),
        (100, 0, "passed: within_limit"),
        (0, None, "passed: within_limit"),
    ],
)
def test_it_lets_fresh_samples_decide_a_percentile(here, fresh, expected):
    samples = [seen("latency", *calls(here, 200))]
    if fresh is not None:
        samples.append(seen("latency", *calls(fresh, 200), fresh=True))
    rows = verdicts(measured(*samples), limits=[limit("latency", 0.02, percentile=95)], final=False)
    assert word(rows[-1]) == expected


def test_it_counts_calls_that_hang_together_for_less():
    in_a_row = (0.010,) * 170 + (0.030,) * 30
    scattered = calls(30, 200)
    assert judged(measured(seen("latency", *scattered)), percentile=95).status is Status.OVER_LIMIT
    row = judged(measured(seen("latency", *in_a_row)), percentile=95)
    assert word(row) == "inconclusive: too_few_samples"


def test_it_rounds_a_share_of_a_slow_call_up_before_it_passes_a_percentile():
    """Two slow calls side by side among 200 count as 0.68 of 67: none of them would pass, one does not."""
    values = (0.010,) * 20 + (0.030,) * 2 + (0.010,) * 178
    share = independent_share(values)
    assert at_most(math.floor(2 * share), int(200 * share), 0.05) <= 0.05
    row = judged(measured(seen("latency", *values)), percentile=95)
    assert word(row) == "inconclusive: within_noise"


def test_it_passes_a_percentile_that_is_too_slow_as_rarely_as_it_promises():
    random = np.random.default_rng(8)
    passed = failed = 0
    for _ in range(400):
        values = np.where(random.random(150) < 0.05, 0.030, 0.010)
        row = judged(measured(seen("latency", *map(float, values))), percentile=95)
        passed += row is None or row.status is Status.PASSED
        failed += row is not None and row.fails
    assert passed / 400 <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
    assert failed / 400 <= 0.005 + 3 * (0.005 * 0.995 / 400) ** 0.5


@pytest.mark.parametrize(
    ("values", "final", "expected"),
    [
        ((1.0, 1.01, 0.99), False, None),
        ((1.45, 1.5, 1.55), False, "inconclusive: unconfirmed"),
        ((1.45, 1.49, 1.55), True, None),
        ((2.0, 2.01, 2.02), False, "over_limit: over_limit (fails)"),
        ((1.4, 1.52, 1.53, 1.54, 1.6), False, "over_limit: over_limit (fails)"),
    ],
)
def test_it_holds_a_limit_on_a_load_time(values, final, expected):
    samples = [seen("load_warm", value, fresh=True) for value in values]
    row = judged(measured(*samples), 1.5, metric="load_warm", final=final)
    assert (row and word(row)) == expected
    assert (row.needs if row else None) is (Evidence.FRESH_LOAD if expected == "inconclusive: unconfirmed" else None)


def test_it_asks_for_fresh_loads_where_there_is_none():
    row = judged(measured(seen("load_warm", 1.0)), 1.5, metric="load_warm", final=False)
    assert row.needs is Evidence.FRESH_LOAD
    assert judged(measured(seen("load_warm", 1.0)), 1.5, metric="load_warm").status is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("pages", "expected"), [(100.0, "passed: within_limit"), (101.0, "over_limit: over_limit (fails)")]
)
def test_it_holds_a_limit_on_a_figure_that_is_only_shown(pages, expected):
    assert verdicts(measured(seen("ram_file", pages))) == ()
    assert word(only(measured(seen("ram_file", pages)), limits=[limit("ram_file", 100)])) == expected

"""Which stored sessions count: those since the level last changed; and how many occasions they tell of."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_aiperf.judging.history import last_level, occasions
from pytest_aiperf.judging.judge import session_variance
from pytest_aiperf.vocabulary.records import Margins
from pytest_aiperf.vocabulary.terms import Status
from tests.judging.worlds import (
    METRICS,
    MIB,
    Machine,
    baseline,
    measured,
    only,
    seen,
    session,
    sessions_of,
    steady,
    word,
)

MS = 1e-3


def latency(value):
    return measured(steady("latency", value), steady("latency", value, fresh=True))


def peaks(value):
    return measured(*(seen("ram", value * MIB, fresh=True) for _ in range(5)))


def loads(value):
    return measured(*(seen("load_warm", value, fresh=True) for _ in range(5)))


@pytest.mark.parametrize(
    ("metric", "values", "kept"),
    [
        ("latency", [], 0),
        ("latency", [2], 1),
        ("latency", [10, 10, 10, 2, 2], 2),
        ("latency", [2, 2, 10, 10, 10], 3),
        ("latency", [10, 10, 10, 2], 1),
        ("latency", [10, 2], 1),
        ("latency", [10, 11, 9, 10, 10.5], 5),
        ("latency", [10, 10, 10, 11], 4),
        ("latency", [10, 10, 10, 11.1], 1),
        ("latency", [10, 10, 9.05, 9.05], 2),
        ("latency", [10, 10, 9.15, 9.15], 4),
        ("latency", [10, 2, 10, 2], 4),
        ("latency", [10, 10, 2, 2, 2, 5, 5], 2),
        ("latency", [5, 2, 2, 10, 10, 9.9], 3),
        ("latency", [0, 0, 2, 2], 2),
        ("throughput", [500, 500, 1000, 1000], 2),
        ("load_warm", [10, 10, 10, 5], 1),
        ("load_warm", [1, 1, 1, 2], 4),
        ("ram", [100, 100, 20, 20, 20], 3),
        ("ram", [20, 20, 100], 1),
        ("ram", [400, 400, 341, 341], 2),
        ("ram", [400, 400, 349, 349], 4),
        ("ram", [20, 20, 12.1, 12.1], 4),
        ("ram", [400, 480, 341, 300], 2),
    ],
)
def test_it_keeps_the_sessions_since_the_last_change_of_level(metric, values, kept):
    scale = MIB if metric == "ram" else MS
    stored = sessions_of(metric, [value * scale for value in values])
    assert last_level(stored, METRICS[metric], Margins()) == tuple(stored[len(stored) - kept :])


def test_it_sees_the_loss_of_an_accepted_improvement_and_says_which_sessions_it_left_out():
    base = baseline(sessions=sessions_of("latency", [10 * MS] * 5 + [2 * MS] * 5))
    row = only(latency(30 * MS), base)
    assert word(row) == "regressed: slower (fails)"
    assert row.baseline == pytest.approx(2 * MS)
    assert row.notes == ("5 earlier sessions left out: the level changed on 2026-11-06",)
    assert only(latency(10 * MS), base).status is Status.REGRESSED
    assert only(latency(2 * MS), base).status is Status.PASSED


def test_it_sees_memory_grow_back_to_what_it_was_before_an_accepted_improvement():
    base = baseline(sessions=sessions_of("ram", [size * MIB for size in (100, 20, 20, 20)]))
    row = only(peaks(100), base)
    assert word(row) == "regressed: larger (fails)"
    assert row.notes == ("1 earlier session left out: the level changed on 2026-11-02",)


def test_it_sees_the_loss_of_an_accepted_improvement_of_a_load():
    base = baseline(sessions=sessions_of("load_warm", [2.0] * 5 + [0.2] * 5))
    assert only(loads(2.0), base).status is Status.REGRESSED


def test_it_holds_a_slowdown_that_was_accepted_once_against_nobody():
    base = baseline(sessions=sessions_of("latency", [2 * MS] * 10 + [10 * MS]))
    row = only(latency(10 * MS), base)
    assert row.status is not Status.REGRESSED
    assert row.worse_by.mid == pytest.approx(0, abs=1e-9)


def test_it_takes_no_disturbed_session_for_a_new_level():
    stored = [*sessions_of("latency", [2 * MS] * 5), session({"latency": 9 * MS}, disturbed=True, hours=500)]
    row = only(latency(2 * MS), baseline(sessions=stored))
    assert (row.status, row.notes) == (Status.PASSED, ())


def test_it_learns_how_much_sessions_differ_from_the_last_level_only():
    base = baseline(sessions=sessions_of("latency", [10 * MS] * 5 + [2 * MS] * 5))
    assert session_variance(base, METRICS["latency"]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("spread", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("history", [2, 4, 7, 11, 14])
def test_it_almost_never_fails_an_unchanged_test_by_taking_chance_for_a_new_level(spread, history):
    failures = 0
    for seed in range(200):
        machine = Machine(7000 + seed, between_sessions=spread)
        base = baseline(sessions=machine.sessions("latency", history))
        failures += _judged(machine, base).fails
    assert failures <= 1


def test_it_almost_never_fails_an_unchanged_memory_by_taking_one_low_peak_for_a_new_level():
    """Levels told apart by medians 5 % apart would fail 14 of these; all sessions together fail 2."""
    failures = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        stored = [np.median(_peaks_of_a_day(random, 3)) for _ in range(10)]
        now = measured(*(seen("ram", float(value), fresh=True) for value in _peaks_of_a_day(random, 5)))
        failures += only(now, baseline(sessions=sessions_of("ram", stored))).fails
    assert failures <= 2


def _peaks_of_a_day(random, count):
    return 400 * MIB * (1 + random.normal(0, 0.02)) * (1 + random.exponential(0.05, count))


@pytest.mark.parametrize(
    ("hours", "groups"),
    [
        ([], []),
        ([0], [1]),
        ([0, 6], [2]),
        ([0, 6.01], [1, 1]),
        ([0, 5, 10, 15], [4]),
        ([0, 1, 24, 25, 26, 48], [2, 3, 1]),
    ],
)
def test_it_counts_sessions_within_six_hours_of_each_other_as_one_occasion(hours, groups):
    stored = [session({"latency": 2 * MS}, hours=hour) for hour in hours]
    assert [len(group) for group in occasions(stored)] == groups


@pytest.mark.parametrize("spread", [0.05, 0.1])
@pytest.mark.parametrize("days", [1, 2, 5])
def test_it_learns_nothing_of_the_spread_between_days_from_sessions_of_one(spread, days):
    """Ten sessions that differ by 1 % inside a day once failed 5 and 20 % of unchanged tests."""
    failures = 0
    for seed in range(400):
        machine = Machine(11000 + seed, between_sessions=spread)
        stored = []
        for day in range(days):
            speed = machine.speed()
            values = [np.exp(speed + machine.random.normal(0, 0.01)) * 2 * MS for _ in range(10 // days)]
            stored += [session({"latency": v}, hours=24 * day + n / 10) for n, v in enumerate(values)]
        failures += _judged(machine, baseline(sessions=stored)).fails
    assert failures <= 1


def test_it_says_that_all_sessions_are_of_one_occasion():
    batch = baseline(sessions=sessions_of("latency", [2 * MS] * 10, apart=0.1))
    spread = baseline(sessions=sessions_of("latency", [2 * MS] * 10))
    row = only(latency(2.5 * MS), batch)
    assert word(row) == "inconclusive: within_noise"
    assert "10 sessions of 1 occasion;" in row.message
    assert word(only(latency(2.5 * MS), spread)) == "regressed: slower (fails)"
    assert word(only(latency(8 * MS), batch)) == "regressed: slower (fails)"


def _judged(machine, base):
    """One unchanged session: this process, and a fresh one of the same session where it is wanted."""
    speed = machine.speed()
    here = seen("latency", *machine.process(speed))
    row = only(measured(here), base, final=False)
    if row.needs is None:
        return row
    return only(measured(here, seen("latency", *machine.process(speed), fresh=True)), base)

"""Times against stored sessions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_aiperf.vocabulary.records import Margins, Policy
from pytest_aiperf.vocabulary.terms import Evidence, Status
from tests.judging.worlds import Machine, baseline, measured, only, seen, session, sessions_of, steady, word

CALM = baseline(sessions=sessions_of("latency", [2e-3] * 20))


def latency(value, *fresh, **more):
    return measured(steady("latency", value), *(steady("latency", v, fresh=True) for v in fresh), **more)


@pytest.mark.parametrize(
    ("slowdown", "fresh", "final", "expected"),
    [
        (0.0, (), False, "passed: within_margin"),
        (-0.3, (), False, "improved: faster"),
        (1.0, (), False, "inconclusive: unconfirmed"),
        (1.0, (), True, "inconclusive: unconfirmed"),
        (1.0, (1.0,), False, "regressed: slower (fails)"),
        (1.0, (1.0,), True, "regressed: slower (fails)"),
        (1.0, (0.0,), True, "inconclusive: not_confirmed"),
        (1.0, (0.05,), True, "inconclusive: within_noise"),
        (0.05, (), False, "inconclusive: unconfirmed"),
        (0.05, (), True, "inconclusive: within_noise"),
        (0.05, (0.0,), True, "passed: within_margin"),
        (0.05, (1.0,), True, "inconclusive: within_noise"),
        (1.0, (1.0, 1.0, 0.0), True, "regressed: slower (fails)"),
        (0.08, (0.08,), True, "inconclusive: within_noise"),
        (0.084, (0.084,), True, "regressed: slower (fails)"),
    ],
)
def test_it_decides(slowdown, fresh, final, expected):
    values = [2e-3 * (1 + share) for share in (slowdown, *fresh)]
    row = only(latency(*values), CALM, final=final)
    assert word(row) == expected
    assert row.needs is (Evidence.FRESH_TIMING if expected == "inconclusive: unconfirmed" and not final else None)


def test_it_counts_a_throughput_that_falls_as_worse_and_one_that_rises_as_better():
    base = baseline(sessions=sessions_of("throughput", [1000.0] * 20))
    slow = only(measured(steady("throughput", 500), steady("throughput", 500, fresh=True)), base)
    fast = only(measured(steady("throughput", 2000)), base)
    assert (slow.status, fast.status) == (Status.REGRESSED, Status.IMPROVED)
    assert slow.worse_by.mid == pytest.approx(1.0)
    assert slow.baseline == pytest.approx(1000)


def test_it_shows_estimate_interval_and_what_it_could_have_seen():
    row = only(latency(2.1e-3), CALM)
    assert row.worse_by.low < 0.05 < row.worse_by.high
    assert row.worse_by.confidence == pytest.approx(0.96)
    assert (row.now, row.baseline, row.limit) == pytest.approx((2.1e-3, 2e-3, 0.05))
    assert "+5.0 %" in row.message
    assert "20 sessions" in row.message
    visible = float(row.message.rpartition("from +")[2].split()[0]) / 100
    just_below, just_above = (2e-3 * (1 + visible + away) for away in (-0.002, 0.002))
    assert only(latency(just_below, just_below), CALM).status is Status.INCONCLUSIVE
    assert only(latency(just_above, just_above), CALM).status is Status.REGRESSED


def test_it_uses_the_margins_of_the_test():
    slower = latency(2.4e-3, 2.4e-3)
    assert only(slower, CALM).status is Status.REGRESSED
    assert only(slower, CALM, margins=Margins(max_slowdown=0.5)).status is Status.PASSED
    faster = latency(1.8e-3)
    assert only(faster, CALM).status is Status.IMPROVED
    assert only(faster, CALM, margins=Margins(tolerance=0.3, max_slowdown=0.5)).status is Status.PASSED


def test_it_screens_widely_with_one_session_and_closer_with_more():
    widths = []
    for count in (1, 2, 5, 20):
        row = only(latency(2e-3), baseline(sessions=sessions_of("latency", [2e-3] * count)))
        widths.append(row.worse_by.high - row.worse_by.low)
    assert widths == sorted(widths, reverse=True)
    one_session = baseline(sessions=sessions_of("latency", [2e-3]))
    assert word(only(latency(4e-3, 4e-3), one_session)) == "inconclusive: within_noise", "rough machines do that"
    assert word(only(latency(8e-3, 8e-3), one_session)).startswith("regressed")


def test_it_asks_for_no_fresh_process_that_could_not_change_the_answer():
    one_session = baseline(sessions=sessions_of("latency", [2e-3]))
    row = only(latency(2.05e-3), one_session, final=False)
    assert word(row) == "inconclusive: within_noise"
    assert row.needs is None


def test_it_looks_at_the_last_twenty_undisturbed_sessions_only():
    old = sessions_of("latency", [9e-3] * 30)
    disturbed = [session({"latency": 9e-3}, disturbed=True)] * 30
    recent = sessions_of("latency", [2e-3] * 20)
    row = only(latency(2e-3), baseline(sessions=[*old, *recent, *disturbed]))
    assert word(row) == "passed: within_margin"
    assert row.baseline == pytest.approx(2e-3)


def test_it_forgives_what_the_reference_workload_slowed_down_by_too():
    random = np.random.default_rng(2)
    speeds = random.normal(0, 0.1, 20)
    base = baseline(sessions=sessions_of("latency", 2e-3 * np.exp(speeds + random.normal(0, 0.002, 20)), list(speeds)))
    with_it = only(latency(2e-3 * math.exp(0.12), covariate=0.12), base)
    without = only(latency(2e-3 * math.exp(0.12)), base)
    assert with_it.status is Status.PASSED
    assert without.status is Status.INCONCLUSIVE
    assert any("speed of the machine" in note for note in with_it.notes)


def test_it_ignores_a_covariate_that_some_session_lacks():
    base = baseline(sessions=sessions_of("latency", [2e-3] * 20, [0.0] * 19 + [None]))
    assert only(latency(2e-3, covariate=5.0), base) == only(latency(2e-3), base)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(2, "inconclusive: too_few_samples"), (3, "passed: within_margin")],
)
def test_it_needs_five_samples(count, expected):
    assert word(only(measured(steady("latency", 2e-3, count=count)), CALM)) == expected


@pytest.mark.parametrize(
    ("clock", "expected"), [(2.1e-5, "inconclusive: timer_resolution"), (1.9e-5, "passed: within_margin")]
)
def test_it_needs_a_clock_that_is_fine_enough(clock, expected):
    assert word(only(latency(2e-3), CALM, clock=clock)) == expected


@pytest.mark.parametrize(
    ("here", "fresh", "final", "expected"),
    [
        (0.03, (), True, "inconclusive: disturbed"),
        (0.03, (), False, "inconclusive: unconfirmed"),
        (0.03, (0.0,), True, "inconclusive: unconfirmed"),
        (0.03, (0.0, 0.0), True, "regressed: slower (fails)"),
        (0.03, (0.5,), True, "inconclusive: disturbed"),
        (0.02, (0.5,), True, "inconclusive: unconfirmed"),
        (0.02, (0.5, 0.0), True, "regressed: slower (fails)"),
    ],
)
def test_it_blames_no_code_for_what_a_neighbour_did(here, fresh, final, expected):
    samples = [
        steady("latency", 4e-3, foreign_share=here),
        *(steady("latency", 4e-3, fresh=True, foreign_share=share) for share in fresh),
    ]
    assert word(only(measured(*samples), CALM, final=final)) == expected


def test_it_lets_a_disturbed_measurement_pass_and_never_regress_alone():
    disturbed = ("the GPU was throttled",)
    assert only(latency(2e-3, disturbances=disturbed), CALM).status is Status.PASSED
    row = only(latency(4e-3, 4e-3, disturbances=disturbed), CALM)
    assert word(row) == "inconclusive: unconfirmed"
    alone = only(latency(4e-3, disturbances=disturbed), CALM)
    assert word(alone) == "inconclusive: disturbed"
    assert "the GPU was throttled" in alone.message


def test_it_fails_on_an_open_answer_where_the_policy_says_so_but_never_on_one_that_can_still_be_settled():
    strict = Policy(inconclusive_fails=True)
    assert word(only(latency(2.1e-3), CALM, policy=strict)) == "inconclusive: within_noise (fails)"
    assert word(only(latency(4e-3), CALM, policy=strict)) == "inconclusive: unconfirmed (fails)"
    assert word(only(latency(4e-3), CALM, policy=strict, final=False)) == "inconclusive: unconfirmed"


def test_it_never_fails_identical_data():
    for value in (1e-5, 2e-3, 30.0):
        for count in (1, 2, 20):
            base = baseline(sessions=sessions_of("latency", [value] * count))
            row = only(latency(value, value), base)
            assert not row.fails
            assert row.worse_by.mid == pytest.approx(0, abs=1e-12)


def test_it_gives_the_same_answer_in_any_unit_of_time():
    answers = set()
    for scale in (1e-3, 1.0, 1e3):
        base = baseline(sessions=sessions_of("latency", [v * scale for v in (2.0, 2.1, 1.95, 2.02)]))
        row = only(latency(2.3 * scale, 2.31 * scale), base)
        answers.add((row.status, round(row.worse_by.low, 9), round(row.worse_by.high, 9)))
    assert len(answers) == 1


@pytest.mark.parametrize("seed", range(5))
def test_it_never_turns_a_failure_into_a_pass_by_a_constant_shift_for_the_worse(seed):
    machine = Machine(seed)
    base = baseline(sessions=machine.sessions("latency", 8))
    now, fresh = (np.array(machine.process(machine.speed())) for _ in range(2))
    order = [Status.IMPROVED, Status.PASSED, Status.INCONCLUSIVE, Status.REGRESSED]
    ranks = []
    for shift in np.linspace(-0.4, 0.8, 49):
        factor = math.exp(shift)
        shifted = [[float(value) for value in values * factor] for values in (now, fresh)]
        row = only(measured(seen("latency", *shifted[0]), seen("latency", *shifted[1], fresh=True)), base)
        ranks.append(order.index(row.status))
    assert ranks == sorted(ranks)
    assert {ranks[0], ranks[-1]} == {0, 3}


@pytest.mark.parametrize("history", [1, 3, 10, 20])
def test_it_almost_never_fails_an_unchanged_test_on_a_noisy_machine(history):
    """Rule 8 asks for t1 and 99.9 %: expected well below one failure in 400 sessions."""
    failures = 0
    for seed in range(400):
        machine = Machine(1000 + seed)
        base = baseline(sessions=machine.sessions("latency", history))
        failures += _confirmed(machine, base, slowdown=0.0).fails
    assert failures <= 1


def test_it_almost_never_fails_a_slowdown_that_is_tolerated():
    failures = 0
    for seed in range(400):
        machine = Machine(9000 + seed)
        failures += _confirmed(machine, baseline(sessions=machine.sessions("latency", 10)), slowdown=0.01).fails
    assert failures <= 1


def test_it_passes_hardly_any_slowdown_that_must_not_pass():
    """Each of two looks lets 2 % through; both together, 4 % and three standard errors."""
    passed = 0
    for seed in range(400):
        machine = Machine(5000 + seed)
        row = _confirmed(machine, baseline(sessions=machine.sessions("latency", 12)), slowdown=0.05, suite=0.02**2)
        passed += row.status in (Status.PASSED, Status.IMPROVED)
    assert passed / 400 < 0.04 + 3 * math.sqrt(0.04 * 0.96 / 400)


@pytest.mark.parametrize("history", [1, 3, 5, 10, 20])
def test_it_almost_never_fails_an_unchanged_test_on_a_rough_machine(history):
    """Sessions that differ by 10 %, as small convolutions do on shared virtual machines."""
    failures = 0
    for seed in range(400):
        machine = Machine(3000 + seed, between_sessions=0.1)
        failures += _confirmed(machine, baseline(sessions=machine.sessions("latency", history)), slowdown=0.0).fails
    assert failures <= 1


@pytest.mark.parametrize(("history", "slowdown"), [(1, 2.5), (3, 1.5), (5, 1.0), (10, 0.5)])
def test_it_catches_a_gross_slowdown(history, slowdown):
    caught = 0
    for seed in range(100):
        machine = Machine(seed)
        caught += _confirmed(machine, baseline(sessions=machine.sessions("latency", history)), slowdown=slowdown).fails
    assert caught >= 97


def _confirmed(machine, base, *, slowdown, suite=None):
    """One session: this process, and a fresh one of the same session where it is wanted."""
    speed = machine.speed()
    here = seen("latency", *machine.process(speed, slowdown))
    row = only(measured(here), base, final=False, suite=suite)
    if row.needs is None:
        return row
    fresh = seen("latency", *machine.process(speed, slowdown), fresh=True)
    return only(measured(here, fresh), base, suite=suite)


def test_four_calls_are_enough_to_see_that_a_slow_one_takes_three_times_as_long():
    base = baseline(sessions=sessions_of("latency", [2.0, 2.02, 1.99, 2.01, 2.0, 1.98]))
    slow = measured(steady("latency", 7.0, count=4), steady("latency", 7.0, count=4, fresh=True))
    assert word(only(slow, base)) == "regressed: slower (fails)"

"""Looks at paired differences: what they let through, what they stop, and what changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pytest_aiperf.judging.sequential import (
    ALPHA,
    BETA,
    LOOKS,
    answer,
    critical,
    decide,
    hodges_lehmann,
    look,
)
from pytest_aiperf.vocabulary.terms import Status

MARGINS = {"tolerance": 0.01, "most": 0.05}


def world(seed, *, slowdown, sd, pairs=LOOKS[-1]):
    """Log-differences of a machine whose pairs differ by `sd` by chance."""
    return list(np.random.default_rng(seed).normal(math.log1p(slowdown), sd, pairs))


def share(said, *, slowdown, sd, worlds=1500, **margins):
    answers = [decide(world(seed, slowdown=slowdown, sd=sd), **{**MARGINS, **margins})[0] for seed in range(worlds)]
    return sum(one is said for one in answers) / worlds


def most_by_chance(risk, worlds=1500):
    """Three standard errors above the promised risk."""
    return risk + 3 * math.sqrt(risk * (1 - risk) / worlds)


QUIET = [0.001, -0.001, 0.0005, -0.0005, 0.0, 0.002] * 4


def test_typical_calls_that_are_surely_slower_are_a_regression():
    typical = [difference + math.log(1.10) for difference in QUIET]
    said, seen = decide(QUIET, typical=typical, **MARGINS)
    assert said is Status.REGRESSED
    assert seen.typical
    assert seen.estimate == pytest.approx(math.log(1.10), abs=0.001)
    assert seen.pairs == 6


def test_typical_calls_that_seem_slower_ask_for_another_look():
    typical = [0.0, 0.4, -0.1, 0.3, -0.2, 0.05, *[0.0] * 18]
    said, seen = decide(QUIET, typical=typical, **MARGINS)
    assert (said, seen.pairs, seen.typical) == (Status.PASSED, 10, False)


def test_typical_calls_that_seem_slower_to_the_end_leave_it_open():
    typical = [0.4, -0.2] * 12
    said, seen = decide(QUIET, typical=typical, **MARGINS)
    assert (said, seen.pairs, seen.typical) == (Status.INCONCLUSIVE, 24, True)


def test_an_improvement_that_slows_typical_calls_is_none():
    faster = [difference - 0.2 for difference in QUIET]
    assert decide(faster, typical=QUIET, **MARGINS)[0] is Status.IMPROVED
    assert decide(faster, typical=[0.2 + one for one in QUIET], **MARGINS)[0] is Status.REGRESSED


def test_typical_calls_never_excuse_a_regression():
    slower = [difference + 0.2 for difference in QUIET]
    said, seen = decide(slower, typical=[one - 0.3 for one in QUIET], **MARGINS)
    assert (said, seen.typical) == (Status.REGRESSED, False)


@pytest.mark.parametrize("spread", [0.03, 0.07, 0.15])
def test_rough_typical_calls_of_unchanged_code_hardly_ever_fail(spread):
    said = [
        decide(world(seed, slowdown=0.0, sd=0.02), typical=world(seed + 10**6, slowdown=0.0, sd=spread), **MARGINS)[0]
        for seed in range(500)
    ]
    assert said.count(Status.REGRESSED) <= 500 * ALPHA
    assert said.count(Status.PASSED) >= 500 * 0.97


def test_its_critical_values_are_those_of_a_quarter_of_the_risk_per_look():
    assert [round(critical(pairs, ALPHA), 3) for pairs in LOOKS] == [5.604, 4.146, 3.624, 3.393]
    for pairs in LOOKS:
        assert critical(pairs, BETA) == pytest.approx(stats.t.ppf(1 - BETA / 4, pairs - 1))


@pytest.mark.parametrize("sd", [0.005, 0.01, 0.02, 0.05])
def test_it_fails_a_slowdown_of_the_tolerance_no_more_often_than_promised(sd):
    assert share(Status.REGRESSED, slowdown=0.01, sd=sd) <= most_by_chance(ALPHA)


@pytest.mark.parametrize("sd", [0.005, 0.01, 0.02, 0.05])
def test_it_passes_the_largest_allowed_slowdown_no_more_often_than_promised(sd):
    passed = share(Status.PASSED, slowdown=0.05, sd=sd) + share(Status.IMPROVED, slowdown=0.05, sd=sd)
    assert passed <= most_by_chance(BETA)


def test_it_calls_an_unchanged_test_regressed_almost_never():
    assert share(Status.REGRESSED, slowdown=0.0, sd=0.02) <= most_by_chance(0.001)


def test_it_catches_five_percent_on_a_machine_whose_pairs_differ_by_two():
    assert share(Status.REGRESSED, slowdown=0.05, sd=0.02) >= 0.95


def test_the_sensitive_setting_catches_three_percent():
    assert share(Status.REGRESSED, slowdown=0.03, sd=0.013, most=0.03) >= 0.80


def test_identical_differences_of_nothing_pass_at_the_first_look():
    said, seen = decide([0.0] * 6, **MARGINS)
    assert (said, seen.pairs, seen.error) == (Status.PASSED, 6, 0.0)


@pytest.mark.parametrize(
    ("shift", "says"),
    [(0.0099, Status.PASSED), (0.0101, Status.REGRESSED), (-0.0099, Status.PASSED), (-0.0101, Status.IMPROVED)],
)
def test_without_noise_the_tolerance_alone_decides(shift, says):
    assert decide([math.log1p(shift)] * 6, **MARGINS)[0] is says


@pytest.mark.parametrize("seed", range(30))
def test_a_constant_shift_upward_never_turns_a_failure_into_a_pass(seed):
    shift = np.random.default_rng(seed).uniform(0, 0.1)
    before = world(seed, slowdown=0.04, sd=0.02)
    after = [d + shift for d in before]
    if decide(before, **MARGINS)[0] is Status.REGRESSED:
        assert decide(after, **MARGINS)[0] is not Status.PASSED


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_the_pairs_within_a_look_changes_nothing(seed):
    d = world(seed, slowdown=0.02, sd=0.02, pairs=6)
    shuffled = list(np.random.default_rng(seed).permutation(d))
    one, other = look(d), look(shuffled)
    assert one.estimate == pytest.approx(other.estimate)
    assert one.error == pytest.approx(other.error)


@pytest.mark.parametrize("seed", range(10))
def test_swapping_the_sides_negates_the_estimate(seed):
    d = world(seed, slowdown=0.02, sd=0.02)
    assert look([-one for one in d]).estimate == pytest.approx(-look(d).estimate)
    assert look([-one for one in d]).error == pytest.approx(look(d).error)


def test_pairs_after_a_decision_change_nothing():
    calm = [0.001, -0.001, 0.0005, 0.0, -0.0005, 0.001]
    assert decide([*calm, *[5.0] * 18], **MARGINS) == decide(calm, **MARGINS)


def test_a_single_outlier_does_not_fail_a_test():
    assert decide([0.0, 0.001, -0.001, 0.0005, -0.0005, 3.0], **MARGINS)[0] is Status.INCONCLUSIVE


def test_a_mean_that_few_outliers_carry_is_no_failure_yet():
    steady, carried = look([0.05] * 12 + [0.10] * 12), look([0.05] * 17 + [0.10] * 7)
    assert min(steady.low, carried.low) > math.log1p(0.01)
    assert (steady.outlying, answer(steady, **MARGINS)) == (False, Status.REGRESSED)
    assert (carried.outlying, answer(carried, **MARGINS)) == (True, Status.INCONCLUSIVE)


@pytest.mark.parametrize("d", [[], [0.01]])
def test_fewer_than_two_pairs_say_nothing(d):
    assert decide(d, **MARGINS) == (Status.INCONCLUSIVE, None)
    with pytest.raises(ValueError, match="two differences"):
        look(d)


def test_it_refuses_a_difference_that_is_no_number():
    with pytest.raises(ValueError, match="not finite"):
        look([0.0, math.nan])


def test_hodges_lehmann_is_the_median_of_walsh_averages():
    d = [1.0, 2.0, 4.0]
    assert hodges_lehmann(d) == np.median([1, 1.5, 2.5, 2, 3, 4])


def test_it_says_how_many_pairs_would_do():
    seen = look(world(1, slowdown=0.03, sd=0.1))
    assert seen.needed_pairs(0.01, 0.05) > 24
    assert look([0.0] * 6).needed_pairs(0.01, 0.05) == 6
    assert look([0.0] * 6).smallest_visible(0.01) == pytest.approx(math.log1p(0.01))

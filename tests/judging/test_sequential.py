"""Looks at paired differences: what they let through, what they stop, and what changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pytest_aiperf.judging.sequential import (
    ALPHA,
    BETA,
    EARLY_SPREAD,
    ENOUGH,
    LOOKS,
    STAGES,
    Stage,
    decide,
    look,
    lopsided,
    mean,
    trimmed,
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
    assert seen.pairs == ENOUGH


def test_typical_calls_that_seem_slower_ask_for_another_look():
    typical = [0.0, 0.4, 0.1, 0.3, 0.2, 0.05, *[0.0] * 18]
    said, seen = decide(QUIET, typical=typical, **MARGINS)
    assert (said, seen.pairs, seen.typical) == (Status.PASSED, 13, False)


def test_typical_calls_that_seem_slower_to_the_end_leave_it_open():
    typical = [0.4, -0.2, 0.2] * 8
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


def test_all_looks_together_spend_both_risks_once():
    assert sum(stage.alpha for stage in STAGES) == pytest.approx(1)
    assert sum(stage.beta for stage in STAGES) == pytest.approx(1)
    assert list(LOOKS) == sorted({stage.pairs for stage in STAGES})


def test_its_bounds_are_those_of_students_t_with_the_looks_share_of_the_risk():
    d = world(3, slowdown=0.02, sd=0.02, pairs=4)
    few = look(d, Stage(4, 0.06, 0.08))
    assert few.high == pytest.approx(np.mean(d) + stats.t.ppf(1 - 0.08 * BETA, 3) * stats.sem(d))
    moderated = math.sqrt((4 * EARLY_SPREAD**2 + 3 * np.var(d, ddof=1)) / 7 / 4)
    assert few.low == pytest.approx(np.mean(d) - stats.t.ppf(1 - 0.06 * ALPHA, 7) * moderated)


def test_the_trimmed_mean_is_scipys_and_its_test_is_yuens():
    d, other = np.array(world(5, slowdown=0.03, sd=0.02, pairs=16)), np.zeros(16)
    seen = trimmed(d)
    assert seen.centre == pytest.approx(stats.trim_mean(d, 0.2))
    # of two samples, the second of which never varies, Yuen's test has the same statistic
    other[:] = 0.0
    assert seen.centre / seen.error == pytest.approx(stats.ttest_ind(d, other, equal_var=False, trim=0.2).statistic)


def test_the_better_of_mean_and_trimmed_mean_counts_with_half_the_risk_each():
    d = [0.05 + one for one in world(7, slowdown=0.0, sd=0.01, pairs=9)] + [1.0]
    seen = look(d, Stage(10, 0.12, 0.12))
    robust, plain = trimmed(np.array(d)), mean(np.array(d))
    assert seen.robust
    assert seen.low == pytest.approx(robust.centre - stats.t.ppf(1 - 0.06 * ALPHA, robust.freedom) * robust.error)
    assert seen.low > plain.centre - stats.t.ppf(1 - 0.12 * ALPHA, plain.freedom) * plain.error


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


def test_identical_differences_of_nothing_pass_at_the_first_look_that_may_pass():
    said, seen = decide([0.0] * 6, **MARGINS)
    assert (said, seen.pairs, seen.error) == (Status.PASSED, 4, 0.0)


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


@pytest.mark.parametrize("place", range(6))
def test_a_single_wild_pair_neither_fails_a_test_nor_keeps_it_open(place):
    d = [0.0, 0.001, -0.001, 0.0005, -0.0005, 0.0, 0.001, -0.001, 0.0, 0.0005]
    d[place] = 3.0
    assert decide(d, **MARGINS)[0] is Status.PASSED


@pytest.mark.parametrize("slowdown", [0.25, 0.5, 1.0, 9.0])
@pytest.mark.parametrize("seed", range(20))
def test_what_is_a_quarter_slower_is_red_within_four_pairs(seed, slowdown):
    d = world(seed, slowdown=slowdown, sd=0.02)
    said, seen = decide(d, apart=[True] * len(d), **MARGINS)
    assert said is Status.REGRESSED
    assert seen.pairs <= 4


def test_few_pairs_fail_nothing_unless_all_turns_of_each_are_apart():
    d = [0.4, 0.41, 0.39, 0.4]
    assert decide(d, apart=[True] * 4, **MARGINS)[0] is Status.REGRESSED
    assert decide(d, apart=[True, False, True, True], **MARGINS)[0] is Status.INCONCLUSIVE


def test_the_last_look_spends_all_risk_that_is_left():
    d = world(3, slowdown=0.05, sd=0.03, pairs=7)
    assert decide(d, **MARGINS)[0] is Status.INCONCLUSIVE
    said, seen = decide(d, last=True, **MARGINS)
    spent = sum(stage.alpha for stage in STAGES if stage.pairs < 7)
    risk = (1 - spent) * ALPHA / 2
    low = max(one.centre - stats.t.ppf(1 - risk, one.freedom) * one.error for one in (mean_of(d), trimmed_of(d)))
    assert seen.low == pytest.approx(low)
    assert said is (Status.REGRESSED if low > math.log1p(0.01) else Status.INCONCLUSIVE)


def mean_of(d):
    return mean(np.array(d))


def trimmed_of(d):
    return trimmed(np.array(d))


@pytest.mark.parametrize(
    ("wild", "says"),
    [
        ([], False),
        ([0.5], False),
        ([0.5, 0.5], True),
        ([0.5, 0.5, -0.5], False),
        ([0.5] * 4 + [-0.5], True),
        ([-0.5] * 4, False),
    ],
)
def test_wild_pairs_that_are_slow_too_often_speak_against_a_pass(wild, says):
    calm = [0.001, -0.001, 0.0005, -0.0005, 0.0, 0.001, -0.001] * 2
    assert lopsided(np.array([*calm, *wild])) is says


def test_a_slow_mode_of_a_third_of_the_processes_does_not_pass():
    random = np.random.default_rng(4)
    said = []
    for _ in range(200):
        slow = random.random(LOOKS[-1]) < 1 / 3
        d = random.normal(0, 0.01, LOOKS[-1]) + np.where(slow, math.log(1.65), 0.0)
        said.append(decide(list(d), **MARGINS)[0])
    assert said.count(Status.PASSED) <= 200 * 0.4  # whose first pairs all were of the fast mode


@pytest.mark.parametrize("d", [[], [0.01]])
def test_fewer_than_two_pairs_say_nothing(d):
    assert decide(d, **MARGINS) == (Status.INCONCLUSIVE, None)
    with pytest.raises(ValueError, match="two differences"):
        look(d)


def test_it_refuses_a_difference_that_is_no_number():
    with pytest.raises(ValueError, match="not finite"):
        look([0.0, math.nan])


def test_it_says_how_many_pairs_would_do():
    seen = look(world(1, slowdown=0.03, sd=0.1))
    assert seen.needed_pairs(0.01, 0.05) > 24
    assert look([0.0] * 6).needed_pairs(0.01, 0.05) == 6
    assert look([0.0] * 6).smallest_visible(0.01) == pytest.approx(math.log1p(0.01))


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 7, 10, 13, 24])
def test_what_a_planned_look_says_stays_when_it_turns_out_to_be_the_last(count):
    """A run closes what a look has decided; a replay, and a second judgement, know that nothing came after it."""
    for seed in range(150):
        d = world(seed, slowdown=(seed % 7 - 3) / 100, sd=0.01, pairs=count)
        planned, last = (decide(d, apart=[one > 0 for one in d], last=last, **MARGINS)[0] for last in (False, True))
        assert planned in (Status.INCONCLUSIVE, last)


@pytest.mark.parametrize("pairs", [2, 3])
def test_few_pairs_of_a_rough_machine_fail_no_more_than_promised(pairs):
    """Processes that differ by 12 % for life, and a budget that three pairs have spent."""
    worlds, failed = 3000, 0
    for seed in range(worlds):
        d = world(seed, slowdown=0.0, sd=0.17, pairs=pairs)
        failed += decide(d, apart=[one > 0 for one in d], last=True, **MARGINS)[0] is Status.REGRESSED
    assert failed / worlds <= most_by_chance(ALPHA, worlds)


def test_what_few_pairs_could_have_shown_is_a_figure_that_people_can_use():
    assert look([0.0, 6.0]).smallest_visible(0.01) == pytest.approx(math.log(10))
    seen = look([0.02, 0.03, 0.05])
    assert 0.1 < math.expm1(seen.smallest_visible(0.01)) < 0.5

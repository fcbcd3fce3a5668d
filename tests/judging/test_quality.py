"""Accuracy example by example, graded scores, single numbers."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_aiperf.terms import Status
from pytest_aiperf.vocabulary import Margins, Policy, PortableValue
from tests.judging.worlds import PERPLEXITY, baseline, limit, measured, only, scored, seen, word


def compared(old, new, **more):
    return only(measured(seen("accuracy", *map(float, new))), baseline(portable={"accuracy": scored(old)}), **more)


def flipped(wrong, right, count, correct=None):
    """Two runs of `count` examples of which `wrong` turned wrong and `right` turned right."""
    correct = count - wrong - right if correct is None else correct
    unchanged = [1] * correct + [0] * (count - wrong - right - correct)
    return [1] * wrong + [0] * right + unchanged, [0] * wrong + [1] * right + unchanged


@pytest.mark.parametrize(
    ("wrong", "right", "count", "expected"),
    [
        (0, 0, 100, "passed: identical"),
        (31, 5, 1000, "regressed: worse (fails)"),
        (5, 31, 1000, "improved: better"),
        (15, 5, 1000, "passed: within_margin"),
        (16, 5, 1000, "inconclusive: few_examples"),
        (16, 0, 1000, "regressed: worse (fails)"),
        (500, 490, 1000, "passed: within_margin"),
        (2, 0, 100, "inconclusive: few_examples"),
        (1, 0, 100, "passed: within_margin"),
        (0, 6, 100, "anomalous: too_good (fails)"),
        (0, 5, 100, "passed: within_margin"),
        (0, 50, 1000, "improved: better"),
        (1, 0, 2, "inconclusive: few_examples"),
        (100, 0, 100, "regressed: worse (fails)"),
    ],
)
def test_it_decides_on_right_and_wrong_examples(wrong, right, count, expected):
    row = compared(*flipped(wrong, right, count))
    assert word(row) == expected
    assert row.limit == 0.01
    assert row.limit_source is None


def test_it_says_how_many_turned_wrong():
    row = compared(*flipped(31, 5, 1000))
    assert row.message == "31 newly wrong, 5 newly right, p < 0.00001"
    assert row.worse_by.low < row.worse_by.mid < row.worse_by.high
    assert row.worse_by.mid == pytest.approx(0.026)
    assert row.now == pytest.approx(row.baseline - 0.026)


def test_it_says_how_many_examples_it_would_take():
    row = compared(*flipped(4, 1, 100))
    assert "4 newly wrong, 1 newly right, p = 0.10938" in row.message
    assert "about 4282 could" in row.message


def test_it_does_not_care_for_the_order_of_the_examples():
    old, new = (np.array(values) for values in flipped(31, 5, 1000))
    order = np.random.default_rng(0).permutation(1000)
    assert compared(old[order], new[order]) == compared(old, new)


def test_it_uses_the_margin_of_the_test():
    assert compared(*flipped(31, 5, 1000), margins=Margins(accuracy_margin=0.03)).status is Status.PASSED


def test_it_never_fails_an_unchanged_model_on_a_test_set_with_coin_flips():
    """4 % of the examples flip, one way as often as the other."""
    random = np.random.default_rng(11)
    failures = 0
    for _ in range(400):
        old = (random.random(500) < 0.5).astype(int)
        flips = random.random(500) < 0.04
        failures += compared(old, np.where(flips, 1 - old, old)).status is Status.REGRESSED
    assert failures / 400 <= 0.005 + 3 * (0.005 / 400) ** 0.5


@pytest.mark.parametrize("policy", [Policy(new_fails=True), Policy(inconclusive_fails=True)])
def test_it_compares_no_different_numbers_of_examples(policy):
    old, new = [1] * 100, [0] * 99
    assert word(compared(old, new)) == "inconclusive: other_examples"
    assert word(compared(old, new, policy=policy)) == "inconclusive: other_examples (fails)"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (0.938, "passed: within_margin"),
        (0.928, "passed: within_margin"),
        (0.9279, "regressed: worse (fails)"),
        (0.9481, "improved: better"),
        (0.988, "improved: better"),
        (0.9881, "anomalous: too_good (fails)"),
    ],
)
def test_it_holds_a_single_number_to_the_tolerance_and_admits_it(now, expected):
    row = only(measured(seen("accuracy", now)), baseline(portable={"accuracy": 0.938}))
    assert word(row) == expected
    assert row.notes == ("one number each: only a tolerance could be applied",)


def test_it_admits_that_the_baseline_has_no_examples():
    row = only(measured(seen("accuracy", 1.0, 0.0, 1.0, 1.0)), baseline(portable={"accuracy": 0.75}))
    assert word(row) == "passed: within_margin"
    assert "no examples" in row.notes[0]


@pytest.mark.parametrize(
    ("loss", "noise", "expected"),
    [
        (0.0, 0.02, "passed: within_margin"),
        (0.02, 0.02, "regressed: worse (fails)"),
        (0.02, 0.0, "regressed: worse (fails)"),
        (-0.02, 0.02, "improved: better"),
        (0.02, 0.3, "inconclusive: few_examples"),
    ],
)
def test_it_decides_on_graded_scores(loss, noise, expected):
    random = np.random.default_rng(4)
    old = random.uniform(0.5, 0.9, 60)
    away = random.normal(0, 1, 60)
    away -= away.mean()
    assert word(compared(old, old - loss + noise * away)) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (20.0, "passed: within_margin"),
        (20.19, "passed: within_margin"),
        (20.21, "regressed: worse (fails)"),
        (10.0, "improved: better"),
    ],
)
def test_it_reads_a_score_that_is_better_when_lower_and_has_no_points(now, expected):
    row = only(measured(seen("perplexity", now), scores=(PERPLEXITY,)), baseline(portable={"perplexity": 20.0}))
    assert word(row) == expected
    assert row.limit == pytest.approx(0.2)
    assert row.worse_by.mid == pytest.approx(now - 20)


@pytest.mark.parametrize(("right", "expected"), [(9, "passed: within_margin"), (8, "over_limit: over_limit (fails)")])
def test_it_holds_a_limit(right, expected):
    values = [1] * right + [0] * (10 - right)
    row = only(
        measured(seen("accuracy", *map(float, values))),
        baseline(portable={"accuracy": PortableValue(value=right / 10, at="", commit=None)}),
        limits=[limit("accuracy", 0.9)],
    )
    assert word(row) == expected
    assert row.now == pytest.approx(right / 10)
    assert ("10 examples" in row.message) is (right == 8)


@pytest.mark.parametrize("seed", range(3))
def test_it_never_turns_a_failure_into_a_pass_by_more_wrong_examples(seed):
    random = np.random.default_rng(seed)
    old = (random.random(400) < 0.8).astype(int)
    new = old.copy()
    order = [Status.PASSED, Status.INCONCLUSIVE, Status.REGRESSED]
    ranks = []
    for index in random.permutation(np.flatnonzero(old))[:40]:
        new[index] = 0
        ranks.append(order.index(compared(old, new).status))
    assert ranks == sorted(ranks)
    assert ranks[-1] == 2

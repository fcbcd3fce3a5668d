"""Accuracy example by example, graded scores, single numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_aiperf.baselines.summaries import sort_out
from pytest_aiperf.judging.rules.quality import most_luck
from pytest_aiperf.vocabulary.baseline import PortableValue
from pytest_aiperf.vocabulary.example_values import unpack
from pytest_aiperf.vocabulary.records import Margins, Policy
from pytest_aiperf.vocabulary.terms import Status
from tests.judging.worlds import METRICS, PERPLEXITY, baseline, limit, measured, only, scored, seen, word


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
        (0, 6, 100, "passed: within_margin"),
        (0, 11, 100, "improved: better"),
        (0, 12, 100, "anomalous: too_good (fails)"),
        (0, 50, 100, "anomalous: too_good (fails)"),
        (0, 5, 100, "passed: within_margin"),
        (0, 50, 1000, "improved: better"),
        (1, 0, 2, "inconclusive: few_examples"),
        (100, 0, 100, "regressed: worse (fails)"),
        (6, 0, 6, "regressed: worse (fails)"),
        (4, 0, 4, "regressed: worse (fails)"),
        (3, 0, 3, "inconclusive: few_examples"),
        (3, 0, 6, "inconclusive: few_examples"),
        (5, 0, 15, "regressed: worse (fails)"),
        (4, 0, 15, "inconclusive: few_examples"),
        (4, 0, 50, "inconclusive: few_examples"),
        (9, 1, 50, "regressed: worse (fails)"),
        (9, 1, 51, "inconclusive: few_examples"),
        (0, 6, 6, "improved: better"),
        (0, 2, 20, "passed: within_margin"),
        (0, 12, 20, "anomalous: too_good (fails)"),
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


def test_it_says_why_a_large_loss_on_few_examples_is_none_of_luck():
    row = compared([1] * 6, [0] * 6)
    assert row.message == (
        "6 newly wrong, 0 newly right, p = 0.00781; of 6 examples, more than luck even if 10 % change by themselves"
    )


def test_it_names_the_command_that_stores_a_gain_which_is_real():
    assert compared(*flipped(0, 50, 100)).told.endswith(
        "; if it is real, store it: pytest --aiperf-update tests/test_net.py::test_net"
    )


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


@pytest.mark.parametrize("flips", [0.02, 0.04, 0.10])
@pytest.mark.parametrize("count", [20, 50, 200, 1000])
def test_it_hardly_ever_fails_an_unchanged_model_whose_answers_flip(count, flips):
    """As many examples turn wrong as right, on average; too good a model fails as well as a worse one."""
    runs = 40_000
    random = np.random.default_rng(11)
    seen = random.multinomial(count, [flips / 2, flips / 2, 1 - flips], size=runs)[:, :2]
    worlds, times = np.unique(seen, axis=0, return_counts=True)
    failures = sum(
        seldom
        for (wrong, right), seldom in zip(worlds.tolist(), times.tolist(), strict=True)
        if compared(*flipped(wrong, right, count)).fails
    )
    assert failures / runs <= 0.005 + 3 * (0.005 / runs) ** 0.5


@pytest.mark.parametrize(("wrong", "right", "count"), [(6, 0, 6), (3, 0, 6), (5, 1, 20), (5, 0, 20), (9, 8, 30)])
def test_it_knows_what_luck_can_do(wrong, right, count):
    """Against every sequence of examples, one after the other: each turns wrong or right with a chance of 5 %."""
    nets = np.array([1.0])
    for _ in range(count):
        nets = np.convolve(nets, [0.05, 0.90, 0.05])
    assert most_luck(wrong, right, count) == pytest.approx(nets[count + wrong - right :].sum())


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
        (0.9881, "improved: better"),
    ],
)
def test_it_holds_a_single_number_to_the_tolerance_and_admits_it(now, expected):
    row = only(measured(seen("accuracy", now)), baseline(portable={"accuracy": 0.938}))
    assert word(row) == expected
    assert row.notes == ("one number each: only a tolerance could be applied",)
    assert ("more often a leak" in row.message) is (now == 0.9881)


@pytest.mark.parametrize("values", [(0.91237,), (0.1,) * 50, (0.1, 0.7, 1 / 3), (1 / 3,) * 20_001, (1.0, 0.0, 1.0)])
def test_it_passes_the_numbers_that_it_stored_itself_whatever_the_margin(values):
    now = measured(seen("accuracy", *values))
    ((stored,), _) = sort_out(now, METRICS)
    examples = None if stored.examples is None else unpack(stored.examples)
    kept = PortableValue(value=stored.value, at="", commit=None, examples=examples)
    row = only(now, baseline(portable={"accuracy": kept}), margins=Margins(accuracy_margin=0.0))
    assert row.status is Status.PASSED
    assert row.now == row.baseline


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


def drop(points, **more):
    return replace(limit("accuracy", points / 100), drop=True, **more)


@pytest.mark.parametrize(
    ("points", "expected"),
    [(1, "regressed: worse (fails)"), (2.6, "passed: within_margin"), (0, "regressed: worse (fails)")],
)
def test_a_marker_sets_the_largest_loss(points, expected):
    old, new = flipped(31, 5, 1000)
    assert word(compared(old, new, limits=[drop(points)])) == expected


@pytest.mark.parametrize(
    ("wrong", "right", "count", "expected"),
    [
        (5, 5, 2000, "passed: within_margin"),
        (2, 2, 200, "inconclusive: few_examples"),
        (1, 0, 100, "inconclusive: few_examples"),
        (31, 5, 1000, "regressed: worse (fails)"),
        (12, 1, 1000, "regressed: worse (fails)"),
        (9, 1, 1000, "inconclusive: few_examples"),
        (0, 30, 1000, "improved: better"),
        (0, 0, 100, "passed: identical"),
    ],
)
def test_a_population_wants_a_small_loss_proven(wrong, right, count, expected):
    old, new = flipped(wrong, right, count)
    assert word(compared(old, new, limits=[drop(1, population=True)])) == expected


def test_it_says_what_few_examples_leave_possible():
    old, new = flipped(2, 2, 200)
    row = compared(old, new, limits=[drop(1, population=True)])
    assert row.message == "2 newly wrong, 2 newly right: 200 examples leave -2.1 points possible, about 1713 could"


def test_graded_scores_of_a_population():
    old = np.linspace(0.2, 0.9, 400)
    worse, same = old - 0.05 + 0.02 * np.cos(np.arange(400)), old + 0.02 * np.cos(np.arange(400))
    assert word(compared(old, worse, limits=[drop(1, population=True)])) == "regressed: worse (fails)"
    assert word(compared(old, same, limits=[drop(1, population=True)])) == "passed: within_margin"


def test_a_population_is_wronged_as_rarely_as_promised():
    """At a true loss of the margin it passes at most 5 %, at none it fails at most 0.5 %."""
    random = np.random.default_rng(5)
    passed = failed = 0
    for _ in range(600):
        answers = random.choice([-1, 0, 1], size=1000, p=[0.03, 0.95, 0.02])  # one point lost
        old, new = flipped(int((answers == -1).sum()), int((answers == 1).sum()), 1000)
        passed += compared(old, new, limits=[drop(1, population=True)]).status is Status.PASSED
        answers = random.choice([-1, 0, 1], size=1000, p=[0.02, 0.96, 0.02])
        old, new = flipped(int((answers == -1).sum()), int((answers == 1).sum()), 1000)
        failed += compared(old, new, limits=[drop(1, population=True)]).fails
    assert passed <= 0.05 * 600 + 3 * (0.05 * 0.95 * 600) ** 0.5
    assert failed <= 0.005 * 600 + 3 * (0.005 * 600) ** 0.5


@pytest.mark.parametrize(("count", "flips"), [(200, 0.02), (200, 0.04), (1000, 0.02), (1000, 0.04)])
def test_a_model_that_lost_nothing_fails_as_rarely_as_promised(count, flips):
    """At most 0.5 % of the worlds; benchmarks/accuracy has the power beside it."""
    drawn = np.random.default_rng(count).multinomial(count, [flips / 2, flips / 2, 1 - flips], size=3000)
    known = {}
    for wrong, right, _ in drawn.tolist():
        if (wrong, right) not in known:
            old, new = flipped(wrong, right, count)
            known[wrong, right] = compared(old, new).fails
    failed = sum(known[wrong, right] for wrong, right, _ in drawn.tolist())
    assert failed <= 0.005 * 3000 + 3 * (0.005 * 3000) ** 0.5

"""What all results of a run teach together."""

from __future__ import annotations

import dataclasses

import pytest

from pytest_aiperf.judging import suite_trends
from pytest_aiperf.vocabulary.records import Criteria, Interval, Margins, Policy, Result, Verdict
from pytest_aiperf.vocabulary.terms import Pairs, Status, Unit


def result(test, *, slower=0.0, sees=0.02, seconds=1e-3, pairs=Pairs.NEVER, max_slowdown=0.05):
    row = Verdict(
        label="",
        metric="latency",
        title="latency p50",
        unit=Unit.SECONDS,
        status=Status.PASSED,
        reason="within_margin",
        now=seconds,
        worse_by=Interval(low=slower - 0.1, mid=slower, high=slower + 0.1, confidence=0.96),
        limit=20.0,
        limit_source="max_latency_ms(20_000)",
        sees=sees,
    )
    criteria = Criteria(
        margins=Margins(max_slowdown=max_slowdown),
        policy=Policy(pairs=pairs),
        limits=(),
        default_limits=(),
        baselines={},
        suite_variance=None,
        stores=False,
    )
    return Result(test=test, outcome="passed", environment="cpu", measurements=(), verdicts=(row,), criteria=criteria)


@pytest.mark.parametrize(
    ("shifts", "together"),
    [
        ([0.03, 0.04, 0.05, 0.04, 0.03], 0.04),
        ([0.02, 0.02, 0.02, 0.02, 0.02], None),
        ([0.0, 0.0, 0.0, 0.9, 0.9], None),
        ([-0.04] * 5, None),
        ([0.04] * 4, None),
    ],
    ids=["all slower", "hardly", "two alone", "faster", "too few"],
)
def test_it_notices_what_became_slower_together(shifts, together):
    assert (
        suite_trends.common_slowdown(
            [result(f"t{n}", slower=shift) for n, shift in enumerate(shifts)], metric="latency"
        )
        == together
    )


def test_it_says_so():
    (note,) = suite_trends.notes([result(f"t{number}", slower=0.04) for number in range(5)], metric="latency")
    assert note.startswith("the tests became slower together, by 4.0 % (median)")


def test_a_test_that_cannot_see_its_own_limit_says_so_once():
    (note,) = suite_trends.notes([result("test_rough", sees=0.22), result("test_calm", sees=0.04)], metric="latency")
    assert note.startswith("1 test cannot see its own max_slowdown")
    assert "test_rough sees 22 % and more" in note
    assert "test_calm" not in note


def test_many_are_one_sentence_with_the_worst_named():
    (note,) = suite_trends.notes(
        [result(f"test_{number}", sees=number / 2) for number in range(1, 8)], metric="latency"
    )
    assert note.startswith("7 tests cannot see their own")
    assert "test_7 sees a factor of 4.5, test_6 sees a factor of 4.0, test_5" in note
    assert "test_4" not in note


@pytest.mark.parametrize("more", [{"pairs": Pairs.SUSPICIOUS}, {"max_slowdown": 0.3}, {"sees": None}])
def test_nobody_is_told_where_it_does_not_matter(more):
    assert suite_trends.notes([result("test_rough", **{"sees": 0.22, **more})], metric="latency") == ()


def test_the_dearest_test_is_the_slowest_call():
    assert suite_trends.seconds_per_call(result("t", seconds=0.5), metric="latency") == 0.5
    nothing = Result(test="t", outcome="passed", environment="cpu", measurements=(), verdicts=())
    assert suite_trends.seconds_per_call(nothing, metric="latency") == 0.0


def test_a_test_sees_what_its_slowest_call_sees():
    first, second = result("t", sees=0.5, seconds=1e-4), result("t", sees=0.01, seconds=1e-2)
    both = dataclasses.replace(first, verdicts=(*first.verdicts, *second.verdicts))
    assert suite_trends.notes([both], metric="latency") == suite_trends.notes([second], metric="latency")

"""Rows of a candidate beside its reference model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_aiperf.judging import judge
from pytest_aiperf.measuring.metrics.comparison import SPEEDUP
from pytest_aiperf.vocabulary.baseline import PortableValue
from pytest_aiperf.vocabulary.pairing import REFERENCE_MODEL, Pairing
from pytest_aiperf.vocabulary.records import Criteria, Margins, Policy
from pytest_aiperf.vocabulary.terms import Evidence
from pytest_aiperf.wiring import known_metrics
from tests.judging.rules.test_paired import LATENCY, world
from tests.judging.worlds import HERE, limit, measured, steady, word

HALF = 1 / 1.5 - 1
"""A candidate that takes two thirds of the time."""


def rows(pairing, *, limits=(), final=True, **more):
    measurement = measured(steady(LATENCY, 2e-3), steady(SPEEDUP.name, 1.0), pairing=pairing, reference={}, **more)
    return judged(measurement, limits=limits, final=final)


def judged(measurement, *, limits=(), final=True):
    """Metric -> row, as a run judges it: nothing is stored."""
    criteria = Criteria(
        margins=Margins(),
        policy=Policy(),
        limits=tuple(limits),
        default_limits=(),
        baselines={},
        suite_variance=None,
        stores=False,
    )
    found = judge.verdicts([measurement], criteria, metrics=known_metrics(), environment=HERE, final=final)
    return {row.metric: row for row in found}


def model_pairs(*, screen=(), blocks=(), **more):
    return Pairing(against=REFERENCE_MODEL, screen=tuple(screen), blocks=tuple(blocks), **more)


def at_least(ratio):
    return [limit(SPEEDUP.name, ratio)]


def test_turns_in_one_process_pass_a_candidate_and_say_so():
    row = rows(model_pairs(screen=world(1, 6, slowdown=HALF)), final=False)[LATENCY]
    assert word(row) == "improved: faster"
    assert row.needs is None
    assert row.of_reference
    assert "both models in one process" in row.notes
    assert row.message == "3 pairs against the reference"


@pytest.mark.parametrize("count", [6, 24])
def test_turns_in_one_process_fail_nothing(count):
    screen = world(2, count, slowdown=0.3)
    row = rows(model_pairs(screen=screen), final=False)[LATENCY]
    assert (row.needs, row.fails) == (Evidence.MODEL_PAIRS, False)
    assert word(rows(model_pairs(screen=screen))[LATENCY]) == "inconclusive: unconfirmed"


@pytest.mark.parametrize(
    ("slowdown", "says"),
    [(0.3, "regressed: slower (fails)"), (0.0, "passed: within_margin"), (HALF, "improved: faster")],
)
def test_fresh_processes_overrule_turns_in_one(slowdown, says):
    for screen in (world(3, 6, slowdown=0.3), world(3, 6, slowdown=HALF)):
        assert word(rows(model_pairs(screen=screen, blocks=world(4, 6, slowdown=slowdown)))[LATENCY]) == says


def test_more_blocks_are_asked_for_until_a_look_decides():
    row = rows(model_pairs(screen=world(5, 6, slowdown=0.3), blocks=world(6, 3, slowdown=0.06)), final=False)[LATENCY]
    assert row.needs is Evidence.MODEL_PAIRS


def test_fresh_processes_that_cannot_run_leave_it_open():
    row = rows(model_pairs(screen=world(7, 6, slowdown=0.3), failure="new code: killed by SIGKILL"))[LATENCY]
    assert word(row) == "inconclusive: not_compared"
    assert row.message == "new code: killed by SIGKILL"


@pytest.mark.parametrize(
    ("ratio", "says", "noisy"),
    [
        (1.3, "passed: within_limit", False),
        (1.49, "passed: within_limit", True),
        (1.8, "over_limit: over_limit (fails)", False),
    ],
)
def test_a_wanted_speedup_is_held_on_fresh_processes(ratio, says, noisy):
    row = rows(model_pairs(blocks=world(8, 10, slowdown=HALF)), limits=at_least(ratio))[SPEEDUP.name]
    assert word(row) == says
    assert row.now == pytest.approx(1.5, rel=0.03)
    assert ("within noise" in row.message) is noisy


def test_a_speedup_that_one_process_misses_is_asked_of_fresh_ones():
    missed = model_pairs(screen=world(9, 6, slowdown=HALF))
    row = rows(missed, limits=at_least(2), final=False)[SPEEDUP.name]
    assert (row.needs, row.fails) == (Evidence.MODEL_PAIRS, False)
    died = rows(replace(missed, failure="old code: killed by SIGKILL"), limits=at_least(2))[SPEEDUP.name]
    assert word(died) == "inconclusive: not_compared"


def test_too_few_undisturbed_turns_say_nothing():
    row = rows(model_pairs(screen=world(10, 3)), limits=at_least(1.1))[SPEEDUP.name]
    assert word(row) == "inconclusive: disturbed"


def test_quality_is_held_against_the_reference_in_points():
    reference = {"accuracy": PortableValue(value=1.0, at="", commit=None, examples=(1.0,) * 200)}
    worse = measured(
        steady(LATENCY, 2e-3),
        replace(steady("accuracy", 1.0), values=(0.0,) * 20 + (1.0,) * 180),
        pairing=model_pairs(screen=world(11, 6)),
        reference=reference,
    )
    row = judged(worse)["accuracy"]
    assert word(row) == "regressed: worse (fails)"
    assert row.of_reference
    better = replace(
        worse,
        reference={"accuracy": PortableValue(value=0.5, at="", commit=None, examples=(0.0,) * 100 + (1.0,) * 100)},
    )
    row = judged(better)["accuracy"]
    assert word(row) == "anomalous: too_good (fails)"
    assert "compare with a margin= above it" in row.message
    assert word(judged(replace(better, accuracy_margin=0.5))["accuracy"]) == "passed: within_margin"
    wide = judged(replace(worse, accuracy_margin=0.2))["accuracy"]
    assert word(wide) == "passed: within_margin"


@pytest.mark.parametrize(
    ("void", "decibel", "expected"),
    [
        ("two runs of the reference differ by up to 3", 10.0, "inconclusive: not_reproducible"),
        ("two runs of the reference differ by up to 3", 40.0, "passed: within_limit"),
        ("", 10.0, "over_limit: over_limit (fails)"),
    ],
)
def test_errors_beside_a_reference_that_is_not_reproducible_fail_nobody(void, decibel, expected):
    sample = replace(steady("sqnr", decibel), void=void)
    row = judged(measured(sample, reference={}), limits=[limit("sqnr", 30)])["sqnr"]
    assert word(row) == expected


def test_a_limit_that_disturbed_pairs_leave_open_is_shown_as_it_was_written():
    pairing = model_pairs(blocks=[replace(block, disturbances=("noise",)) for block in world(5, 3, slowdown=HALF)])
    row = rows(pairing, limits=at_least(1.5))[SPEEDUP.name]
    assert word(row) == "inconclusive: disturbed"
    assert row.limit_source == at_least(1.5)[0].source


def test_a_speedup_that_five_pairs_rule_out_is_missed():
    """1.00x [0.97, 1.04], where 1.2x is wanted."""
    row = rows(model_pairs(blocks=world(11, 5), ended=True), limits=at_least(1.2))[SPEEDUP.name]
    assert word(row) == "over_limit: over_limit (fails)"


def test_a_candidate_that_takes_twice_as_long_is_red_however_few_pairs_fitted_into_the_budget():
    for count in (2, 3, 5):
        row = rows(model_pairs(blocks=world(12, count, slowdown=1.0, sd=0.05), ended=True))[LATENCY]
        assert word(row) == "regressed: slower (fails)"

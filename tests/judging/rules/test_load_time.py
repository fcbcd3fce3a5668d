"""Load times: one value per fresh process."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_aiperf.vocabulary.terms import Evidence, Status
from tests.judging.worlds import baseline, measured, only, seen, sessions_of, word

BASE = baseline(sessions=sessions_of("load_warm", [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01]))


def loads(*values, **more):
    return measured(*(seen("load_warm", value, fresh=True) for value in values), **more)


@pytest.mark.parametrize(
    ("values", "final", "expected"),
    [
        ((1.0, 1.01, 0.99), False, "passed: within_margin"),
        ((0.7, 0.71, 0.69), False, "improved: faster"),
        ((1.5, 1.5, 1.51), False, "inconclusive: unconfirmed"),
        ((1.5, 1.5, 1.51), True, "inconclusive: too_few_processes"),
        ((1.5, 1.5, 1.51, 1.52), False, "inconclusive: unconfirmed"),
        ((1.5, 1.5, 1.51, 1.52, 1.5), False, "regressed: slower (fails)"),
        ((1.18, 1.17, 1.18, 1.19, 1.18), False, "inconclusive: within_noise"),
        ((1.5, 1.0, 1.0, 1.01, 1.5), False, "inconclusive: within_noise"),
    ],
)
def test_it_decides(values, final, expected):
    row = only(loads(*values), BASE, final=final)
    assert word(row) == expected
    assert row.needs is (Evidence.FRESH_LOAD if "unconfirmed" in expected else None)
    assert row.limit == 0.15


def test_it_trusts_no_load_of_this_process():
    here = measured(seen("load_warm", 1.0))
    assert only(here, BASE, final=False).needs is Evidence.FRESH_LOAD
    assert word(only(here, BASE)) == "inconclusive: unconfirmed"


def test_it_forgives_less_than_two_milliseconds():
    base = baseline(sessions=sessions_of("load_warm", [2e-3] * 20))
    assert word(only(loads(*[3.9e-3] * 5), base)) == "passed: within_margin"
    assert word(only(loads(*[4.1e-3] * 5), base)) == "regressed: slower (fails)"


def test_it_blames_no_code_for_what_a_neighbour_did():
    slow = measured(*(seen("load_warm", 2.0, fresh=True, foreign_share=0.5) for _ in range(5)))
    assert word(only(slow, BASE)) == "inconclusive: disturbed"


def test_it_almost_never_fails_an_unchanged_load_on_a_noisy_machine():
    failures = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        speeds = random.normal(0, 0.03, 6)
        base = baseline(sessions=sessions_of("load_warm", [_load(random, s, 5) for s in speeds[:5]]))
        values = [_load(random, speeds[5], 1) for _ in range(5)]
        failures += only(loads(*values), base).fails
    assert failures <= 1


def test_it_catches_a_load_that_takes_twice_as_long():
    caught = 0
    for seed in range(50):
        random = np.random.default_rng(seed)
        base = baseline(sessions=sessions_of("load_warm", [_load(random, 0.0, 5) for _ in range(5)]))
        row = only(loads(*(2 * _load(random, 0.0, 1) for _ in range(5))), base)
        caught += row.status is Status.REGRESSED
    assert caught == 50


def _load(random, speed, processes):
    return float(np.median(np.exp(speed + random.normal(0, 0.04, processes))))

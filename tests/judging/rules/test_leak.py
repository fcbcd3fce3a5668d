"""Slopes of memory, call by call."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_aiperf.judging.rules.leak import Answer, answer_of
from pytest_aiperf.measuring.metrics.leak import GPU_LEAK, LEAK
from pytest_aiperf.vocabulary.records import Sample
from tests.judging.worlds import limit, measured, only, word

KIB = 1024.0
BOUND = 20 * KIB


def blocks(per_call, *, count=60, noise=0.0, seed=1, jump=0.0):
    """Memory after every ten calls."""
    random = np.random.default_rng(seed)
    grown = 100e6 + per_call * KIB * 10 * np.arange(count) + random.normal(0, noise * KIB, count)
    grown[count // 3 :] += jump * KIB
    return tuple(grown.tolist())


STEPS = tuple(100e6 + 50 * KIB * 160 * (10 * place // 160) for place in range(60))
"""50 KiB per call, in holes of 8 MiB."""


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (blocks(0), Answer.STEADY),
        (blocks(15), Answer.STEADY),
        (blocks(25), Answer.LEAKS),
        (blocks(50, noise=500), Answer.LEAKS),
        (blocks(0, noise=5000), Answer.STEADY),
        (blocks(0, jump=50_000), Answer.OPEN),
        (blocks(0, jump=5_000), Answer.STEADY),
        (blocks(-50), Answer.STEADY),
        ((*blocks(50, count=30), *[blocks(50, count=30)[-1]] * 30), Answer.OPEN),
        (STEPS, Answer.OPEN),
        (blocks(50, count=19), Answer.FEW),
    ],
    ids=[
        "none",
        "below the limit",
        "above it",
        "in noise",
        "noise alone",
        "a large jump, or a step every 400 calls",
        "a small jump",
        "falls",
        "one half",
        "few large steps",
        "few",
    ],
)
def test_both_halves_must_grow(values, expected):
    assert answer_of(values, BOUND, calls=10)[0] is expected


def row(values, *, metric=LEAK, limits=()):
    return only(measured(Sample(metric=metric.name, values=values, calls_per_value=10)), limits=limits)


def test_the_row_tells_the_slope_and_where_the_limit_comes_from():
    seen = row(blocks(50))
    assert word(seen) == "over_limit: leak (fails)"
    assert seen.now == pytest.approx(50 * KIB)
    assert (seen.limit, seen.limit_source) == (BOUND, "max_leak_kb(20) (default)")
    assert seen.message == "in both halves of 600 calls"


def test_a_marker_sets_another_limit():
    assert word(row(blocks(50), limits=[limit("leak", 60 * KIB)])) == "passed: within_limit"
    assert word(row(blocks(5), limits=[limit("leak", 1 * KIB)])) == "over_limit: leak (fails)"


def test_it_holds_for_a_device_as_well():
    assert word(row(blocks(50), metric=GPU_LEAK, limits=[limit("leak", 60 * KIB)])) == "passed: within_limit"
    assert word(row(blocks(50), metric=GPU_LEAK)) == "over_limit: leak (fails)"


def test_a_cache_that_fills_is_open():
    filled = (*blocks(50, count=30), *[blocks(50, count=30)[-1]] * 30)
    seen = row(filled)
    assert word(seen) == "inconclusive: not_steadily"
    assert seen.message.startswith("it did not grow in both halves of the calls, by 14.")
    assert seen.message.endswith("MiB in all: a cache that fills?")


@pytest.mark.parametrize("noise", [0, 100, 5000])
def test_a_steady_memory_fails_as_rarely_as_promised(noise):
    """Both halves at 0.5 %: at most 0.1 % together, with a limit of nothing at all."""
    answers = [answer_of(blocks(0, noise=noise, seed=seed), 0.0, calls=10)[0] for seed in range(1000)]
    assert answers.count(Answer.LEAKS) <= 3

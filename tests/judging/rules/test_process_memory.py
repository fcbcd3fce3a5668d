"""Process memory: noise only adds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pytest_aiperf.vocabulary.terms import Evidence
from tests.judging.worlds import MIB, baseline, limit, measured, only, seen, sessions_of, verdicts, word

BASE = baseline(sessions=sessions_of("ram", [v * MIB for v in (400, 402, 399, 410)]))


def peaks(here, *fresh):
    samples = [] if here is None else [seen("ram", here * MIB)]
    return measured(*samples, *(seen("ram", value * MIB, fresh=True) for value in fresh))


@pytest.mark.parametrize(
    ("here", "fresh", "final", "expected"),
    [
        (400, (), False, "inconclusive: unconfirmed"),
        (400, (), True, "inconclusive: unconfirmed"),
        (900, (400,), False, "passed: within_margin"),
        (900, (409,), False, "passed: within_margin"),
        (900, (300,), False, "improved: smaller"),
        (400, (500,), False, "inconclusive: unconfirmed"),
        (400, (500, 501, 502, 503), False, "inconclusive: unconfirmed"),
        (400, (500, 501, 502), True, "inconclusive: too_few_processes"),
        (400, (500, 501, 502, 503, 504), False, "regressed: larger (fails)"),
        (400, (500, 501, 502, 503, 410), False, "passed: within_margin"),
        (None, (500, 501, 502, 503, 411), False, "regressed: larger (fails)"),
        (400, (420, 420, 420, 420, 420), False, "passed: within_margin"),
        (400, (422, 422, 422, 422, 422), False, "regressed: larger (fails)"),
    ],
)
def test_it_decides(here, fresh, final, expected):
    row = only(peaks(here, *fresh), BASE, final=final)
    assert word(row) == expected
    assert row.needs is (Evidence.FRESH_MEMORY if "unconfirmed" in expected and not final else None)
    assert row.limit == 0.05


def test_it_forgives_less_than_eight_mebibytes():
    base = baseline(sessions=sessions_of("ram", [20 * MIB]))
    assert word(only(peaks(None, *[28.0] * 5), base)) == "passed: within_margin"
    assert word(only(peaks(None, *[28.1] * 5), base)) == "regressed: larger (fails)"


def test_it_compares_nothing_with_a_baseline_of_zero():
    assert word(only(peaks(None, 100), baseline(sessions=sessions_of("ram", [0])))) == "inconclusive: zero_baseline"


@pytest.mark.parametrize(
    ("here", "fresh", "final", "expected"),
    [
        (500, (), False, "passed"),
        (501, (), False, "inconclusive: unconfirmed"),
        (501, (), True, "inconclusive: unconfirmed"),
        (501, (500,), False, "passed"),
        (501, (501,), False, "inconclusive: unconfirmed"),
        (501, (501,), True, "over_limit: over_limit (fails)"),
        (501, (501, 501), False, "over_limit: over_limit (fails)"),
        (None, (499, 501, 502), False, "inconclusive: unconfirmed"),
        (None, (499, 501, 502), True, "over_limit: over_limit (fails)"),
        (None, (499, 500, 502), False, "passed"),
    ],
)
def test_it_holds_a_limit(here, fresh, final, expected):
    base = baseline(sessions=sessions_of("ram", [520 * MIB]))
    rows = only_limit(peaks(here, *fresh), base, final=final)
    assert rows == expected


def only_limit(measurement, base, *, final):
    rows = verdicts(measurement, base, limits=[limit("ram", 500 * MIB)], final=final)
    rows = [row for row in rows if row.limit_source]
    return word(rows[0]) if rows and rows[0].status.value not in ("passed", "improved") else "passed"


def test_it_says_so_where_the_median_decided():
    rows = verdicts(peaks(None, 499, 501, 502), BASE, limits=[limit("ram", 500 * MIB)])
    assert any("within noise" in row.message for row in rows if row.limit_source)


def test_it_almost_never_fails_an_unchanged_test():
    failures = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        stored = 400 + random.exponential(12, 5)
        base = baseline(sessions=sessions_of("ram", stored * MIB))
        failures += only(peaks(None, *(400 + random.exponential(12, 5))), base).fails
    assert failures == 0


def test_the_extremes_of_five_processes_bracket_their_median_in_fifteen_of_sixteen_cases():
    row = only(peaks(None, 500, 501, 502, 503, 504), BASE)
    assert row.worse_by.confidence == 1 - 1 / 16


def test_one_wild_session_of_twenty_hides_no_growth():
    base = baseline(sessions=sessions_of("ram", [100 * MIB] * 10 + [198 * MIB] + [100 * MIB] * 9))
    assert word(only(peaks(None, 195, 195, 195, 195, 195), base)) == "regressed: larger (fails)"


def test_a_busy_processor_disturbs_no_peak():
    busy = [replace(one, disturbed=True) for one in sessions_of("ram", [40 * MIB])]
    assert word(only(peaks(None, *[90] * 5), baseline(sessions=busy))) == "regressed: larger (fails)"

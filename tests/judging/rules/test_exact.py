"""Sizes and allocator bytes."""

from __future__ import annotations

import pytest

from pytest_aiperf.vocabulary.terms import Evidence, Status
from tests.judging.worlds import MIB, baseline, limit, measured, only, seen, word

BASE = {name: baseline(portable={name: 100 * MIB}) for name in ("model_size", "gpu_allocated")}


@pytest.mark.parametrize(
    ("base", "now", "expected"),
    [
        (100, 100.0, "passed: within_margin"),
        (100, 102.0, "passed: within_margin"),
        (100, 102.1, "regressed: larger (fails)"),
        (100, 98.0, "passed: within_margin"),
        (100, 97.9, "improved: smaller"),
        (0.272, 0.277, "passed: within_margin"),
        (0.272, 0.278, "regressed: larger (fails)"),
        (0.01, 0.01 + 1024 / MIB, "passed: within_margin"),
        (0.01, 0.01 + 1025 / MIB, "regressed: larger (fails)"),
        (0, 1024 / MIB, "passed: within_margin"),
        (0, 1025 / MIB, "regressed: larger (fails)"),
    ],
)
def test_it_decides_on_a_size(base, now, expected):
    """More than 2 % and more than 1 KiB."""
    row = only(measured(seen("model_size", now * MIB)), baseline(portable={"model_size": base * MIB}))
    assert word(row) == expected
    assert row.limit == 0.02
    assert row.needs is None


@pytest.mark.parametrize(
    ("base", "now", "expected"),
    [
        (10, 11.0, "passed: within_margin"),
        (10, 11.1, "regressed: larger (fails)"),
        (0, 1.0, "passed: within_margin"),
        (0, 1.1, "regressed: larger (fails)"),
    ],
)
def test_it_lets_an_allocator_vary_by_a_mebibyte(base, now, expected):
    samples = seen("gpu_allocated", now * MIB), seen("gpu_allocated", now * MIB, fresh=True)
    assert word(only(measured(*samples), baseline(portable={"gpu_allocated": base * MIB}))) == expected


@pytest.mark.parametrize(
    ("here", "fresh", "final", "expected"),
    [
        (100, (), False, "passed: within_margin"),
        (150, (), False, "inconclusive: unconfirmed"),
        (150, (), True, "inconclusive: unconfirmed"),
        (150, (150,), False, "regressed: larger (fails)"),
        (150, (100,), False, "passed: within_margin"),
        (150, (150, 101), True, "passed: within_margin"),
        (150, (90,), True, "improved: smaller"),
    ],
)
def test_it_believes_a_gpu_figure_once_a_fresh_process_confirms_it(here, fresh, final, expected):
    samples = [seen("gpu_allocated", here * MIB), *(seen("gpu_allocated", v * MIB, fresh=True) for v in fresh)]
    row = only(measured(*samples), BASE["gpu_allocated"], final=final)
    assert word(row) == expected
    assert row.needs is (Evidence.FRESH_MEMORY if "unconfirmed" in expected and not final else None)


@pytest.mark.parametrize(
    ("metric", "now", "fresh", "final", "expected"),
    [
        ("model_size", 100, (), False, "passed: within_margin"),
        ("model_size", 100.001, (), False, "over_limit: over_limit (fails)"),
        ("gpu_allocated", 100, (), False, "passed: within_margin"),
        ("gpu_allocated", 101, (), False, "inconclusive: unconfirmed"),
        ("gpu_allocated", 101, (), True, "over_limit: over_limit (fails)"),
        ("gpu_allocated", 101, (101,), False, "over_limit: over_limit (fails)"),
        ("gpu_allocated", 101, (99,), False, "passed: within_margin"),
    ],
)
def test_it_holds_a_limit(metric, now, fresh, final, expected):
    samples = [seen(metric, now * MIB), *(seen(metric, v * MIB, fresh=True) for v in fresh)]
    row = only(measured(*samples), BASE[metric], limits=[limit(metric, 100 * MIB)], final=final)
    assert word(row) == expected
    assert row.limit == 100 * MIB
    assert row.limit_source


def test_it_reports_the_growth():
    row = only(measured(seen("model_size", 150 * MIB)), BASE["model_size"])
    assert row.worse_by.low == row.worse_by.mid == row.worse_by.high == pytest.approx(0.5)
    assert (row.now, row.baseline) == (150 * MIB, 100 * MIB)
    assert row.status is Status.REGRESSED

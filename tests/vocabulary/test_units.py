"""Numbers in, words out, and back."""

from __future__ import annotations

import math

import pytest

from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.terms import Unit

MIB = 1024.0**2


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (4.1e-3, Unit.SECONDS, "4.10 ms"),
        (1.21, Unit.SECONDS, "1.21 s"),
        (35e-6, Unit.SECONDS, "35.0 us"),
        (1.5e-9, Unit.SECONDS, "1.50 ns"),
        (612.0, Unit.SECONDS, "612 s"),
        (7200.0, Unit.SECONDS, "7200 s"),
        (0.0, Unit.SECONDS, "0 s"),
        (-4.1e-3, Unit.SECONDS, "-4.10 ms"),
        (24 * MIB, Unit.BYTES, "24.0 MiB"),
        (1000 * MIB, Unit.BYTES, "1000 MiB"),
        (500.0, Unit.BYTES, "500 B"),
        (0.0, Unit.BYTES, "0 B"),
        (3.5 * 1024**5, Unit.BYTES, "3584 TiB"),
        (480.0, Unit.PER_SECOND, "480 /s"),
        (12_345.0, Unit.PER_SECOND, "12.3k /s"),
        (0.25, Unit.PER_SECOND, "0.250 /s"),
        (0.912, Unit.FRACTION, "0.912"),
        (1.0, Unit.FRACTION, "1.000"),
        (0.0, Unit.FRACTION, "0.000"),
        (0.00042, Unit.FRACTION, "0.000420"),
        (13.42, Unit.NUMBER, "13.4"),
        (31_415.9, Unit.NUMBER, "31416"),
        (1.5e-7, Unit.NUMBER, "1.50e-07"),
        (None, Unit.SECONDS, ""),
        (math.nan, Unit.SECONDS, "nan"),
        (math.inf, Unit.BYTES, "inf"),
        (-math.inf, Unit.PER_SECOND, "-inf"),
    ],
)
def test_it_shows_three_digits_in_a_unit_that_fits(value, unit, shown):
    assert units.text(value, unit) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.9994e-3, Unit.SECONDS, "999 us"),
        (0.9996e-3, Unit.SECONDS, "1.00 ms"),
        (9.994, Unit.SECONDS, "9.99 s"),
        (9.996, Unit.SECONDS, "10.0 s"),
        (1023.4, Unit.BYTES, "1023 B"),
        (1023.6, Unit.BYTES, "1.00 KiB"),
        (1023.4 * MIB, Unit.BYTES, "1023 MiB"),
        (1023.9 * MIB, Unit.BYTES, "1.00 GiB"),
        (999.4, Unit.PER_SECOND, "999 /s"),
        (999.6, Unit.PER_SECOND, "1.00k /s"),
    ],
)
def test_it_rounds_before_it_chooses_the_unit(value, unit, shown):
    assert units.text(value, unit) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (20e-3, Unit.SECONDS, "20 ms"),
        (500 * MIB, Unit.BYTES, "500 MiB"),
        (0.9, Unit.FRACTION, "0.9"),
        (12_000.0, Unit.PER_SECOND, "12k /s"),
        (12.5, Unit.NUMBER, "12.5"),
        (100.0, Unit.NUMBER, "100"),
        (1 / 3, Unit.SECONDS, "333.333 ms"),
    ],
)
def test_it_shows_a_bound_as_it_was_written(value, unit, shown):
    assert units.bound(value, unit) == shown


@pytest.mark.parametrize(
    ("values", "digits"),
    [
        ((4.10e-3, 2.07e-3), 3),
        ((20.04e-3, 20e-3), 4),
        ((0.8997, 0.9, None), 4),
        ((1.0, 1.0), 3),
        ((math.nan, 1.0), 3),
        ((1.0, 1.0 + 1e-12), 6),
    ],
)
def test_it_takes_as_many_digits_as_tell_values_apart(values, digits):
    assert units.tell_apart(values, Unit.FRACTION if 0.9 in values else Unit.SECONDS) == digits


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (0.98, "+98 %"),
        (0.031, "+3.1 %"),
        (-0.005, "-0.5 %"),
        (0.0994, "+9.9 %"),
        (0.09996, "+10 %"),
        (12.0, "+1200 %"),
        (0.0, "0 %"),
        (-0.0001, "0.0 %"),
        (math.nan, "+nan %"),
        (math.inf, "+inf %"),
    ],
)
def test_it_shows_a_change_in_percent(fraction, shown):
    assert units.percent(fraction) == shown


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [(-0.026, "-2.6 points"), (0.0026, "+0.26 points"), (-0.00996, "-1.0 points"), (0.0, "0 points")],
)
def test_it_shows_a_difference_of_fractions_in_points(fraction, shown):
    assert units.points(fraction) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.31, "+0.310"), (-12.5, "-12.5"), (0.0, "0")])
def test_it_shows_a_difference_of_numbers_with_its_sign(value, shown):
    assert units.difference(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.2, "0 s"), (83.4, "83 s"), (119.4, "119 s"), (119.6, "2 min 0 s"), (725.0, "12 min 5 s")]
)
def test_it_shows_how_long_something_took(seconds, shown):
    assert units.duration(seconds) == shown

"""Numbers in, words out, and back."""

from __future__ import annotations

import math

import pytest

from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.errors import UsageError
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


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("500 MB", 500 * MIB),
        ("500MiB", 500 * MIB),
        (" 1.5 gib ", 1.5 * 1024 * MIB),
        ("2 KB", 2048.0),
        ("1 TB", 1024.0**4),
        ("12 B", 12.0),
        ("1e3 B", 1000.0),
        (".5 MB", 0.5 * MIB),
    ],
)
def test_it_reads_amounts_of_memory(written, count):
    assert units.parse_bytes(written) == count


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("20 ms", 0.02), ("35us", 35e-6), ("35 µs", 35e-6), ("1.5 s", 1.5), ("2 min", 120.0), ("7 ns", 7e-9)],
)
def test_it_reads_times(written, seconds):
    assert units.parse_seconds(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("written", "fraction"), [("5 %", 0.05), ("5%", 0.05), ("0.05", 0.05), ("1 point", 0.01), ("2.5 points", 0.025)]
)
def test_it_reads_shares(written, fraction):
    assert units.parse_fraction(written) == pytest.approx(fraction)


@pytest.mark.parametrize(
    ("parse", "written", "accepted"),
    [
        (units.parse_bytes, "500", "500 MB"),
        (units.parse_bytes, "many MB", "500 MB"),
        (units.parse_bytes, "-5 MB", "500 MB"),
        (units.parse_bytes, "5 ms", "1 MB is 1024\\*\\*2 bytes"),
        (units.parse_bytes, "1e999 MB", "500 MB"),
        (units.parse_seconds, "20", "20 ms"),
        (units.parse_seconds, "nan s", "20 ms"),
        (units.parse_seconds, "", "20 ms"),
        (units.parse_fraction, "5 percent", "5 %"),
        (units.parse_fraction, "1.2.3", "5 %"),
    ],
)
def test_it_refuses_what_it_cannot_read_and_says_what_it_accepts(parse, written, accepted):
    with pytest.raises(UsageError, match=accepted) as refused:
        parse(written)
    assert repr(written) in str(refused.value)


@pytest.mark.parametrize("value", [1e-9, 3.21e-5, 0.02, 1.5, 99.0])
def test_it_reads_back_the_times_that_it_shows(value):
    assert units.parse_seconds(units.text(value, Unit.SECONDS)) == pytest.approx(value, rel=5e-3)


@pytest.mark.parametrize("value", [1.0, 2000.0, 24 * MIB, 3e12])
def test_it_reads_back_the_amounts_that_it_shows(value):
    assert units.parse_bytes(units.text(value, Unit.BYTES)) == pytest.approx(value, rel=5e-3)

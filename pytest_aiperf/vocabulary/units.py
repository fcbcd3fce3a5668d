"""Base units (seconds, bytes, fractions) to text that people read."""

from __future__ import annotations

import math
import re

from pytest_aiperf.vocabulary.terms import Unit

_KIB = 1024.0
_COUNTS = ((" k", 1e3), (" M", 1e6), (" G", 1e9), (" T", 1e12))
_SCALES = {
    Unit.SECONDS: ((" ns", 1e-9), (" us", 1e-6), (" ms", 1e-3), (" s", 1.0)),
    Unit.BYTES: ((" KiB", _KIB), (" MiB", _KIB**2), (" GiB", _KIB**3), (" TiB", _KIB**4)),
    Unit.PER_SECOND: ((" /s", 1.0), ("k /s", 1e3), ("M /s", 1e6), ("G /s", 1e9)),
    Unit.JOULES: ((" mJ", 1e-3), (" J", 1.0), (" kJ", 1e3)),
}


def text(value: float | None, unit: Unit, *, digits: int = 3) -> str:
    """A value in base units with `digits` significant digits: `4.10 ms`, `24.0 MiB`, `480 /s`, `0.912`."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    if unit is Unit.SECONDS and not value:
        return "0 s"
    if unit is Unit.BYTES and abs(round(value)) < _KIB:
        return f"{value:.0f} B"
    if unit in _SCALES:
        return _scaled(value, _SCALES[unit], digits, step=1024 if unit is Unit.BYTES else 1000)
    if unit is Unit.RATIO:
        return f"{_significant(value, digits)}x"
    if unit is Unit.DECIBEL:
        return f"{value:.1f} dB"
    if unit is Unit.FRACTION and (value == 0 or abs(value) >= 10**-digits):
        return f"{value:.{digits}f}"
    return _significant(value, digits)


def count(number: float) -> str:
    """A number of things: `283 k`, `93.6 M`."""
    return _scaled(number, _COUNTS, 3, step=1000) if number >= _COUNTS[0][1] else f"{number:.0f}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 test`, `3 tests`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def bound(value: float, unit: Unit) -> str:
    """A value that somebody wrote, without zeros that he did not write: `20 ms`, `0.9`."""
    shown = re.sub(r"(\.\d*?)0+(?!\d)", r"\1", text(value, unit, digits=6))
    return re.sub(r"\.(?!\d)", "", shown)


def tell_apart(values: tuple[float | None, ...], unit: Unit) -> int:
    """How many digits it takes until the texts of different values differ: 3 to 6."""
    known = {value for value in values if value is not None and math.isfinite(value)}
    enough = (digits for digits in (3, 4, 5) if len({text(one, unit, digits=digits) for one in known}) == len(known))
    return next(enough, 6)


def percent(fraction: float) -> str:
    """A signed change: `+98 %`, `-3.1 %`."""
    return f"{percent_number(fraction)} %"


def share(fraction: float) -> str:
    """A part of a whole: `12 %`."""
    return percent(fraction).removeprefix("+")


def percent_number(fraction: float) -> str:
    """The same without its sign of percent, for the ends of an interval."""
    return _signed(fraction * 100, decimals=0 if round(abs(fraction * 100), 1) >= 10 else 1)  # noqa: PLR2004 - two digits


def points(fraction: float) -> str:
    """A signed difference of fractions: `-2.6 points`."""
    return f"{points_number(fraction)} points"


def points_number(fraction: float) -> str:
    """The same without the word."""
    return _signed(fraction * 100, decimals=1 if round(abs(fraction * 100), 2) >= 1 else 2)


def difference(value: float) -> str:
    """A signed difference of plain numbers: `+0.310`."""
    shown = _significant(value, 3)
    return shown if value <= 0 else f"+{shown}"


def duration(seconds: float) -> str:
    """How long something took, for people: `83 s`, `12 min 5 s`."""
    whole = round(seconds)
    if whole < 120:  # noqa: PLR2004 - seconds stay readable up to two minutes
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s"


def _scaled(value: float, scale: tuple[tuple[str, float], ...], digits: int, *, step: int) -> str:
    """The smallest unit in which the rounded number stays below `step`; the largest where none does."""
    for name, factor in scale[:-1]:
        shown = _significant(value / factor, digits)
        if abs(float(shown)) < step:
            return f"{shown}{name}"
    name, factor = scale[-1]
    return f"{_significant(value / factor, digits)}{name}"


def _significant(value: float, digits: int) -> str:
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = math.floor(math.log10(abs(rounded)))
    if exponent < -4:  # noqa: PLR2004 - as Python itself switches to powers of ten
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(0, digits - 1 - exponent)}f}"


def _signed(number: float, *, decimals: int) -> str:
    if number == 0:
        return "0"
    shown = f"{number:+.{decimals}f}"
    return shown if float(shown) else shown[1:]

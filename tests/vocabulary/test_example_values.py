"""Per-example values survive the trip through a file."""

from __future__ import annotations

import base64
import zlib

import pytest

from pytest_aiperf.vocabulary.example_values import MOST_BITS, MOST_GRADED, as_kept, pack, unpack


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 540])
@pytest.mark.parametrize("pattern", [(0.0,), (1.0,), (0.0, 1.0), (1.0, 0.0, 0.0)])
def test_it_keeps_right_or_wrong_bit_by_bit(count: int, pattern: tuple[float, ...]) -> None:
    values = (pattern * count)[:count]
    assert pack(values).startswith(f"bits:{count}:")
    assert unpack(pack(values)) == values


def test_it_keeps_graded_values_as_float32() -> None:
    assert pack((0.5, -1.25, 3e30)).startswith("f32:3:")
    assert unpack(pack((0.5, -1.25, 3e30))) == pytest.approx((0.5, -1.25, 3e30), rel=1e-7)


@pytest.mark.parametrize("values", [(1.0, 0.0), (0.1, 0.7), (1e39, 0.1)])
def test_it_knows_what_will_come_back(values: tuple[float, ...]) -> None:
    kept = as_kept(values)
    assert kept == pytest.approx(values, rel=1e-7)
    assert as_kept(kept) == kept
    assert pack(kept) == pack(values)


def test_it_keeps_540_examples_in_one_readable_line() -> None:
    assert len(pack([1.0] * 530 + [0.0] * 10)) < 60


def test_it_keeps_a_set_of_50000_images_but_not_endless_ones() -> None:
    assert unpack(pack([1.0, 0.0] * 25_000)) == (1.0, 0.0) * 25_000
    assert pack([1.0] * MOST_BITS) is not None
    assert pack([1.0] * (MOST_BITS + 1)) is None
    assert pack([0.5] * MOST_GRADED) is not None
    assert pack([0.5] * (MOST_GRADED + 1)) is None


def test_it_keeps_nothing_that_float32_cannot_hold() -> None:
    assert pack((0.5, 1e39)) is None


def doctored(kind: str, count: int, raw: bytes) -> str:
    return f"{kind}:{count}:{base64.b64encode(raw).decode()}"


@pytest.mark.parametrize(
    "packed",
    [
        "",
        "bits:8",
        "bytes:8:eJw=",
        "bits:0:eJw=",
        "bits:8:!!!!",
        "bits:8:eJ",
        doctored("bits", 8, b"no zlib"),
        doctored("bits", 8, zlib.compress(b"\xff")[:-2]),
        doctored("bits", 8, zlib.compress(b"\xff") + b"more"),
        doctored("bits", 8, zlib.compress(b"\xff\xff")),
        doctored("bits", 9, zlib.compress(b"\xff\xff")),
        doctored("f32", 2, zlib.compress(b"\0" * 7)),
        doctored("f32", 20_001, zlib.compress(b"\0" * 80_004)),
        doctored("bits", 8, zlib.compress(b"\0" * 10_000_000)),
    ],
)
def test_it_refuses_what_it_did_not_write(packed: str) -> None:
    with pytest.raises(ValueError, match="examples"):
        unpack(packed)


def test_it_refuses_values_that_are_not_finite() -> None:
    raw = zlib.compress(b"\x00\x00\xc0\x7f")
    with pytest.raises(ValueError, match="finite"):
        unpack(doctored("f32", 1, raw))

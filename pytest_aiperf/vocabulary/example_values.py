"""Per-example values as one short piece of text, and back: `bits:540:...` or `f32:540:...`."""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
import zlib
from collections.abc import Sequence

MOST_GRADED = 20_000
MOST_BITS = 32 * MOST_GRADED
"""Both limits are 80 kB before compression, so that a baseline file stays fit for review."""

_LARGEST_FLOAT32 = 3.4028234e38
_PACKED = re.compile(r"(bits|f32):([1-9]\d{0,6}):([A-Za-z0-9+/]+={0,2})")


def rounded(value: float) -> float:
    """Four significant digits, which is what a file keeps."""
    return float(f"{value:.4g}")


def pack(values: Sequence[float]) -> str | None:
    """Return text that holds every value; None where there are too many to keep, or one that is no float32.

    Right-or-wrong values take a bit each, graded ones are rounded to float32.
    """
    count = len(values)
    if all(value in (0.0, 1.0) for value in values):
        if count > MOST_BITS:
            return None
        digits = "".join("1" if value else "0" for value in values)
        return _text("bits", count, int(digits, 2).to_bytes(_size("bits", count), "big"))
    if count > MOST_GRADED or any(abs(value) > _LARGEST_FLOAT32 for value in values):
        return None
    return _text("f32", count, struct.pack(f"<{count}f", *values))


def unpack(packed: str) -> tuple[float, ...]:
    """Return the values again. Raises ValueError for anything that `pack` did not write."""
    match = _PACKED.fullmatch(packed)
    if match is None:
        raise ValueError("examples are neither `bits:N:...` nor `f32:N:...`")
    kind, count = match[1], int(match[2])
    if count > (MOST_BITS if kind == "bits" else MOST_GRADED):
        raise ValueError(f"{count} examples are more than are ever stored")
    raw = _inflated(match[3], _size(kind, count))
    if kind == "f32":
        values = struct.unpack(f"<{count}f", raw)
        if not all(math.isfinite(value) for value in values):
            raise ValueError("examples are not all finite")
        return values
    digits = f"{int.from_bytes(raw, 'big'):b}".zfill(count)
    if len(digits) > count:
        raise ValueError(f"examples hold more than the {count} values that they announce")
    return tuple(float(digit) for digit in digits)


def as_kept(values: Sequence[float]) -> tuple[float, ...]:
    """Return the values as they will come back from a file, so that equal ones still are; unchanged where none is."""
    packed = pack(values)
    return tuple(values) if packed is None else unpack(packed)


def _size(kind: str, count: int) -> int:
    return (count + 7) // 8 if kind == "bits" else 4 * count


def _text(kind: str, count: int, raw: bytes) -> str:
    return f"{kind}:{count}:{base64.b64encode(zlib.compress(raw, 9)).decode('ascii')}"


def _inflated(text: str, size: int) -> bytes:
    """Exactly `size` bytes; never more, however much a doctored text would unfold to."""
    inflate = zlib.decompressobj()
    try:
        raw = inflate.decompress(base64.b64decode(text, validate=True), size + 1)
    except (binascii.Error, zlib.error) as problem:
        raise ValueError(f"examples are damaged ({problem})") from problem
    if len(raw) != size or not inflate.eof or inflate.unused_data:
        raise ValueError("examples are damaged (not as many as they announce)")
    return raw

"""Out of memory inside a measured call: told from other errors, with what was asked for and what was free."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from pathlib import Path

from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.contracts import Tools
from pytest_aiperf.vocabulary.devices import GpuMemory
from pytest_aiperf.vocabulary.package import PACKAGE
from pytest_aiperf.vocabulary.terms import Unit

_SAID = re.compile(
    r"out of memory|not enough memory|can't allocate memory|failed to allocate memory|cannot allocate memory"
    r"|RESOURCE_EXHAUSTED|CUBLAS_STATUS_ALLOC_FAILED|std::bad_alloc",
    re.IGNORECASE,
)
_ON_A_DEVICE = re.compile(r"cuda|cublas|hip|xpu|mps|gpu|RESOURCE_EXHAUSTED", re.IGNORECASE)
_ASKED = re.compile(
    r"(?:tried to allocate|unable to allocate|(?:while trying to |to )allocate|allocating|buffer of size)\s+"
    r"([\d.]+) ?((?:[KMGTPE]i?)?B\b|bytes)?",
    re.IGNORECASE,
)
_FREE = re.compile(r"of which ([\d.]+) ?([KMGT]i?B|bytes) is free", re.IGNORECASE)
_INSIDE = (PACKAGE / "measuring", PACKAGE / "comparing", PACKAGE / "session" / "bench.py")
"""Whose frames stand only between a test and what it measures."""


def told(error: BaseException, tools: Tools) -> str | None:
    """What a measured call asked for and what was free; None for any other error, and outside a measured call.

    Knows MemoryError (Python, numpy) and the words of torch, ONNX Runtime, JAX and CUDA.
    """
    if not _is_one(error) or not _was_measured(error):
        return None
    text = str(error)
    asked = _bytes(_ASKED.search(text))
    wanted = "" if asked is None else f"{units.text(asked, Unit.BYTES)} asked for"
    free = "; ".join(_on_devices(text, tools) if _is_on_a_device(error) else _on_the_host(tools))
    return ", ".join(filter(None, (wanted, free)))


def let_go(error: BaseException) -> None:
    """Clear the frames that an error has come through: they hold the tensors of the call that failed."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        waiting += [one.__cause__, one.__context__]


def _is_one(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    return isinstance(error, Exception) and not isinstance(error, AssertionError) and bool(_SAID.search(str(error)))


def _is_on_a_device(error: BaseException) -> bool:
    return not isinstance(error, MemoryError) and bool(_ON_A_DEVICE.search(str(error)))


def _was_measured(error: BaseException) -> bool:
    """Whether one of our measuring calls stands between the test and the error."""
    files = (Path(frame.f_code.co_filename) for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(file.is_relative_to(room) for file in files for room in _INSIDE)


def _bytes(found: re.Match[str] | None) -> float | None:
    if found is None:
        return None
    unit = (found[2] or "B").upper().replace("BYTES", "B").replace("IB", "B")
    return float(found[1]) * 1024.0 ** "BKMGTPE".index(unit[0])


def _on_devices(text: str, tools: Tools) -> Iterator[str]:
    records = tools.devices.started().memory()
    yield from filter(None, map(_of_one_device, records))
    if not records and (free := _bytes(_FREE.search(text))) is not None:
        yield f"{units.text(free, Unit.BYTES)} free on the device"


def _of_one_device(record: GpuMemory) -> str:
    parts = []
    if record.device_total is not None and record.device_used is not None:
        free, total = record.device_total - record.device_used, record.device_total
        parts.append(f"{units.text(free, Unit.BYTES)} of {units.text(total, Unit.BYTES)} free on {record.device}")
    if record.allocated_peak is not None:
        parts.append(f"tensors of this process took {units.text(record.allocated_peak, Unit.BYTES)} at most")
    return ", ".join(parts)


def _on_the_host(tools: Tools) -> Iterator[str]:
    free = tools.memory.free()
    if free is not None:
        yield f"{units.text(free, Unit.BYTES)} free for this process"
    yield f"it held {units.text(tools.memory.now(), Unit.BYTES)}"

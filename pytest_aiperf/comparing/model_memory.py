"""The memory of one model of a comparison: its weights, and what its first call adds at its peak."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from pytest_aiperf.vocabulary.contracts import Tools
from pytest_aiperf.vocabulary.devices import Devices


def working_memory(call: Callable[[], Any], tools: Tools) -> int | None:
    """Bytes that one call adds at its peak: of a device's allocator where one runs, else of the process."""
    if devices := tools.devices.started():
        devices.reset_peaks()
        before = _allocated(devices)
        call()
        devices.wait()
        peak = _allocated(devices)
    else:
        gc.collect()
        if not tools.memory.reset_peak():
            return None
        before = tools.memory.now()
        call()
        peak = tools.memory.peak()
    return None if before is None or peak is None else max(0, peak - before)


def _allocated(devices: Devices) -> int | None:
    """Peaks since the reset, right after it what is held."""
    peaks = [record.allocated_peak for record in devices.memory()]
    return None if None in peaks else sum(peak for peak in peaks if peak is not None)

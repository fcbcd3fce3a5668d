"""Between tests: nothing that one test held is left for the next one to be charged with."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

from pytest_aiperf.measuring.allocations import tensor_text
from pytest_aiperf.measuring.out_of_memory import let_go
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.devices import Devices
from pytest_aiperf.vocabulary.terms import Unit

NEGLIGIBLE = 1024.0**2
"""Bytes that may stay on a device without a word: handles and workspaces."""
MOST_NAMED = 3


class Leftovers:
    """Clears up after each test; says what stayed on a device, and cannot be a fixture of a wider scope."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._errors: list[BaseException] = []
        self._wider: list[str] = []
        self._before: dict[str, int] = {}
        self._named: Counter[str] = Counter()

    def open(self) -> None:
        """A test is about to start."""
        self._errors.clear()
        self._wider.clear()
        self._before = self._held()

    def failed(self, error: BaseException) -> None:
        """A phase of the test raised this; its frames hold whatever its functions held."""
        self._errors.append(error)

    def set_up(self, fixture: str, scope: str) -> None:
        """A fixture was set up for the test: one of a wider scope may keep what it took."""
        if scope != "function":
            self._wider.append(fixture)

    def close(self, test: str) -> str:
        """The test is over: let go, collect, empty the caches. What it left on a device, or nothing."""
        for error in self._errors:
            let_go(error)
        if self._errors:
            gc.collect()
        self._errors.clear()
        if not self._devices.started():
            return ""
        self._devices.reset_peaks()
        stayed = {device: held - self._before.get(device, 0) for device, held in self._held().items()}
        grown = {device: size for device, size in stayed.items() if size > NEGLIGIBLE}
        if not grown or self._wider:
            return ""
        told = ", ".join(f"{units.text(size, Unit.BYTES)} on {device}" for device, size in grown.items())
        return f"{test} left {told}{self._names()}"

    def _held(self) -> dict[str, int]:
        return {
            record.device: record.allocated
            for record in self._devices.started().memory()
            if record.allocated is not None
        }

    def _names(self) -> str:
        """The largest kinds of tensors that are new since the last time somebody left something."""
        sizes: dict[str, int] = {}
        now: Counter[str] = Counter()
        for thing in gc.get_objects():
            if (kind := _tensor(thing)) is not None:
                now[kind] += 1
                sizes[kind] = int(thing.nbytes)
        more = now - self._named
        self._named = now
        largest = sorted(more, key=lambda kind: -more[kind] * sizes[kind])[:MOST_NAMED]
        return f": {', '.join(f'{more[kind]} x {kind}' for kind in largest)}" if largest else ""


def _tensor(thing: Any) -> str | None:
    kind = type(thing)
    if kind.__module__ not in ("torch", "torch.nn.parameter") or kind.__name__ not in ("Tensor", "Parameter"):
        return None
    if thing.device.type == "cpu":
        return None
    return tensor_text(thing)

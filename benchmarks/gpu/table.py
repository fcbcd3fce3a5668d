"""What the sections share: the device, tools as a measuring run has them, tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_aiperf import wiring
from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.measuring.metrics.latency import Latency
from pytest_aiperf.vocabulary.contracts import Tools

MIB = 1024**2


@dataclass
class Bench:
    """Where and how large."""

    device: str
    small: bool
    tools: Tools = field(default_factory=wiring.create_tools)

    def latencies(self, call: Callable[[], Any], *, seconds: float = 1.0) -> tuple[float, ...]:
        """Seconds of every call, the device waited for before and after each."""
        (sample,) = Driver(call, self.tools).run((Latency(calls=20, seconds=seconds, max_seconds=30.0),))
        return sample.values

    def wait(self) -> None:
        """Until the device has finished."""
        for accelerator in self.tools.devices:
            if accelerator.initialised():
                accelerator.wait()

    def seconds(self, call: Callable[[], Any]) -> float:
        """Of one call, waited for."""
        self.wait()
        start = time.perf_counter()
        call()
        self.wait()
        return time.perf_counter() - start


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table of Markdown."""
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, ruler, *rows)]


def mib(size: float | None) -> str:
    """Bytes as MiB."""
    return "-" if size is None else f"{size / MIB:,.1f}"

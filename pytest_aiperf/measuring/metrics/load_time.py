"""Seconds from nothing to the first answer, in a fresh process: page cache cold or warm."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Better, Cache, Metric, Origin, Rule, Unit

_load = functools.partial(Metric, unit=Unit.SECONDS, better=Better.LOWER, rule=Rule.LOAD_TIME, negligible=2e-3)
COLD = _load(
    name="load_cold",
    title="load time, cold",
    measured_by="aiperf.load(...) of a model file",
    cache=Cache.COLD,
    file_bound=True,
)
WARM = _load(name="load_warm", title="load time, warm", measured_by="aiperf.load(...)")
METRICS = (COLD, WARM)

TO_THE_DEVICE = "of which to the device"
"""A part that lies within the one before it, and is not added to the others."""

NO_FIRST_CALL = (
    "ends before the first inference: a lazy loader's work is not in it (use aiperf.infer on the model in this test, "
    "or first=)"
)


@dataclass(slots=True, kw_only=True)
class Loading:
    """One load in a fresh process: total seconds so far and their parts."""

    cache: str
    """`cold` or `warm`."""
    model: Any = None
    parts: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    complete: bool = False

    def sample(self, *, imports: Mapping[str, float]) -> Sample:
        """The load as a sample; `imports` are shown beside it: only the loader's own are part of `read and build`."""
        shown = {f"import {name} (counted only if the loader does it)": seconds for name, seconds in imports.items()}
        return Sample(
            metric=COLD.name if self.cache == "cold" else WARM.name,
            values=(sum(seconds for name, seconds in self.parts.items() if name != TO_THE_DEVICE),),
            origin=Origin.FRESH,
            parts={**shown, **self.parts},
            notes=self.notes if self.complete else (*self.notes, NO_FIRST_CALL),
        )

"""Several models in one process: what each takes alone, the other way round, and what stays when they are gone.

All beside the joint peaks, which are the ordinary figures of memory. Each sample has one value, that of the processor's
memory, and parts: metric of memory -> bytes above what was there before.
"""

from __future__ import annotations

from pytest_aiperf.vocabulary.terms import Better, Metric, Rule, Unit


def _shown(name: str, title: str) -> Metric:
    return Metric(
        name=name,
        title=title,
        unit=Unit.BYTES,
        better=Better.LOWER,
        rule=Rule.SHOWN,
        portable=False,
        measured_by="aiperf.concurrent(...)",
    )


ALONE = _shown("alone", "memory alone")
REVERSED = _shown("reversed", "memory, loaded the other way round")
LOADED = _shown("loaded", "memory once loaded")
KEPT = _shown("kept", "memory kept after del")
METRICS = (ALONE, REVERSED, LOADED, KEPT)

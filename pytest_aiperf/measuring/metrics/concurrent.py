"""Several models in one process: what each takes alone, the other way round, and what stays when they are gone.

All beside the joint peaks, which are the ordinary figures of memory. Each sample has one value, that of the processor's
memory, and parts: metric of memory -> bytes above what was there before.
"""

from __future__ import annotations

import functools

from pytest_aiperf.vocabulary.terms import Better, Metric, Rule, Unit

_shown = functools.partial(
    Metric, unit=Unit.BYTES, better=Better.LOWER, rule=Rule.SHOWN, measured_by="aiperf.concurrent(...)"
)
ALONE = _shown(name="alone", title="memory alone")
REVERSED = _shown(name="reversed", title="memory, loaded the other way round")
LOADED = _shown(name="loaded", title="memory once loaded")
KEPT = _shown(name="kept", title="memory kept after del")
METRICS = (ALONE, REVERSED, LOADED, KEPT)

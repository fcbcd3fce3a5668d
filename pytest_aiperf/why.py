"""Why a candidate is slower or less accurate than it should be, in sentences, from operators and layers of both."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_aiperf import units
from pytest_aiperf.terms import Unit

MOST_NAMED = 3
WORTH_NAMING = 0.05
"""Share of the candidate's time."""
ROUGH_DB = 20.0
"""Below it the error is more than a tenth of the signal."""
OVERHEAD = 100e-6
"""Seconds: calls this short spend more on being called than on their operators."""
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast", "aten::_to_copy", "aten::copy_")


def slower(
    reference: Mapping[str, float] | None, candidate: Mapping[str, float] | None, *, candidate_seconds: float
) -> tuple[str, ...]:
    """The operators that cost the candidate most beyond the reference, and what its conversions take.

    `reference`, `candidate`: kind of operator -> seconds per call; None where the runtime cannot say.
    """
    reasons = []
    if candidate_seconds < OVERHEAD:
        reasons.append(f"a call of {_text(candidate_seconds)} is mostly overhead: compare larger batches")
    if not candidate:
        return tuple(reasons)
    known, total = reference or {}, sum(candidate.values())
    more = {name: seconds - known.get(name, 0.0) for name, seconds in candidate.items()}
    worst = [name for name in sorted(more, key=lambda name: -more[name]) if more[name] > WORTH_NAMING * total]
    if worst:
        named = ", ".join(f"{name} {_text(candidate[name])}{_before(name, known)}" for name in worst[:MOST_NAMED])
        reasons.append(f"it spends its time in {named}")
    if known and (gone := [name for name in known if name not in candidate and known[name] > WORTH_NAMING * total]):
        gone.sort(key=lambda name: -known[name])
        reasons.append("instead of " + ", ".join(f"{name} {_text(known[name])}" for name in gone[:MOST_NAMED]))
    converting = sum(seconds for name, seconds in candidate.items() if name.partition(" on ")[0] in CONVERSIONS)
    if converting > WORTH_NAMING * total:
        reasons.append(f"{converting / total:.0%} of its operators' time converts numbers")
    if elsewhere := sorted({name.partition(" on ")[2] for name in candidate if " on " in name}):
        share = sum(seconds for name, seconds in candidate.items() if " on " in name) / total
        reasons.append(f"{share:.0%} of it runs on {', '.join(elsewhere)}")
    return tuple(reasons)


def diverging(layers: Mapping[str, float]) -> tuple[str, ...]:
    """Where the candidate leaves its reference. `layers`: name -> SQNR in dB of its outputs, in the order they ran."""
    rough = [name for name, sqnr_db in layers.items() if sqnr_db < ROUGH_DB]
    if not rough:
        return ()
    worst = sorted(rough, key=lambda name: layers[name])[:MOST_NAMED]
    named = ", ".join(f"{name} {layers[name]:.1f} dB" for name in worst)
    first = f"its layers leave the reference first at {rough[0]} ({layers[rough[0]]:.1f} dB), most at {named}"
    return (f"{first}: try leaving these as they were",)


def _before(name: str, known: Mapping[str, float]) -> str:
    return f" (reference {_text(known[name])})" if name in known else ""


def _text(seconds: float) -> str:
    return units.text(seconds, Unit.SECONDS, digits=2)

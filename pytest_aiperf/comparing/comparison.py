"""What `aiperf.compare` returns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from pytest_aiperf.comparing.parity import Parity
from pytest_aiperf.measuring.metrics import accuracy
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.model_figures import ModelFigures, Variant, Weights
from pytest_aiperf.vocabulary.pairing import Speed
from pytest_aiperf.vocabulary.terms import Unit

MERE_ROUNDING = 100.0
"""Errors of quantisation are thousands of times larger than those of float32."""
SPARSE = 0.01
"""Share of zeros from which they are shown: a trained model has hardly any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate beside its reference. NaN and None stand for what was not measured; the text is a table."""

    speed: Speed = field(default_factory=Speed)
    """As seen by pairs in the test's own process."""
    score: str = accuracy.METRIC.name
    """Name of the quality figure."""
    examples: int = 0
    agreement: float | None = None
    """Share of the examples with the same answer."""
    parity: Parity = field(default_factory=Parity)
    reference: ModelFigures = field(default_factory=ModelFigures)
    candidate: ModelFigures = field(default_factory=ModelFigures)
    needed_examples: int | None = None
    """About how many it takes to see a loss of the margin, where so many answers change; None without labels."""

    @property
    def speedup(self) -> float:
        """Seconds of the reference over those of the candidate; above 1 is faster."""
        return self.speed.speedup

    @property
    def speedup_interval(self) -> tuple[float, float]:
        """What the pairs leave possible (confidence about 99 %)."""
        return self.speed.low, self.speed.high

    @property
    def size_ratio(self) -> float | None:
        """Bytes of the candidate over those of the reference."""
        return _ratio(self.candidate.size, self.reference.size)

    @property
    def memory_ratio(self) -> float | None:
        """Memory of the candidate over that of the reference; measured where `max_memory_ratio` asks for it."""
        return _ratio(self.candidate.memory, self.reference.memory)

    @property
    def score_drop(self) -> float | None:
        """What the candidate lost, in the score's own unit (0.01 is a point of accuracy)."""
        if self.reference.score is None or self.candidate.score is None:
            return None
        return self.reference.score - self.candidate.score

    def __str__(self) -> str:
        return "\n".join([f"{'':<20}{'reference':>12}{'candidate':>12}", *_figures(self), *_outputs(self)])


def variant_of(seen: Comparison, *, group: str, name: str) -> Variant:
    """What a table of all candidates shows of it."""
    return Variant(
        group=group,
        name=name,
        score=seen.score,
        agreement=seen.agreement,
        reference=seen.reference,
        candidate=seen.candidate,
    )


def _figures(seen: Comparison) -> Iterator[str]:
    """A row for everything that both models have a figure of."""
    old, new, speed = seen.reference, seen.candidate, seen.speed
    seconds, fraction, size = (partial(units.text, unit=unit) for unit in (Unit.SECONDS, Unit.FRACTION, Unit.BYTES))
    rows: list[tuple[str, float | None, float | None, Callable[[float], str], str]] = [
        ("latency", speed.reference_seconds, speed.candidate_seconds, seconds, _speedup(seen)),
        (f"{seen.score} of {seen.examples}", old.score, new.score, fraction, _alike(seen)),
        ("size", old.size, new.size, size, _times(new.size, old.size)),
        ("memory", old.memory, new.memory, size, _times(new.memory, old.memory)),
    ]
    if old.weights is not None and new.weights is not None:
        before, after = old.weights, new.weights
        counts = before.parameters, after.parameters
        rows.append(("parameters", *counts, units.count, _times(after.parameters, before.parameters)))
        if max(before.sparsity or 0.0, after.sparsity or 0.0) > SPARSE:
            rows.append(("of these zero", before.sparsity, after.sparsity, "{:.1%}".format, ""))
    rows.append(("multiply-adds", old.macs, new.macs, units.count, _times(new.macs, old.macs)))
    for name, was, now, write, more in rows:
        if was is not None or now is not None:
            cells = ("-" if value is None or math.isnan(value) else write(value) for value in (was, now))
            yield f"{name:<20}{''.join(f'{cell:>12}' for cell in cells)}  {more}".rstrip()


def _outputs(seen: Comparison) -> Iterator[str]:
    old, new, far = seen.reference.weights, seen.candidate.weights, seen.parity
    if old is not None and new is not None and old.bytes.keys() != new.bytes.keys():
        yield f"{'weights':<20}{_dtypes(new)}"
    if seen.reference.score is None and seen.agreement is not None:
        yield f"{'answers':<20}{_alike(seen)}"
    told = f"SQNR {far.sqnr_db:.1f} dB, largest error {far.max_abs_error:.3g}, cosine {far.cosine:.6f}"
    yield f"{'outputs':<20}{told}" + ("" if far.kl is None else f", KL {far.kl:.2g}")
    if far.rounding is not None and far.rounding < MERE_ROUNDING:
        yield f"{'':<20}{far.rounding:.2g} times as far from float64 as the reference itself"


def _alike(seen: Comparison) -> str:
    told = [] if seen.agreement is None else [f"{seen.agreement:.1%} answered alike"]
    if seen.needed_examples is not None and 1 < seen.examples < seen.needed_examples:
        told.append(f"few: a loss shows with about {seen.needed_examples}")
    return ", ".join(told)


def _speedup(seen: Comparison) -> str:
    said = speedup_text(seen.speed)
    return said and f"{said} in {seen.speed.pairs} pairs"


def speedup_text(speed: Speed) -> str:
    """With what the pairs leave possible; empty where nothing was timed."""
    return "" if math.isnan(speed.speedup) else f"{speed.speedup:.2f}x [{speed.low:.2f}, {speed.high:.2f}]"


def _ratio(new: int | None, old: int | None) -> float | None:
    return new / old if old and new is not None else None


def _times(new: int | None, old: int | None) -> str:
    ratio = _ratio(new, old)
    return "" if ratio is None else f"{ratio:.2f}x"


def _dtypes(weights: Weights) -> str:
    largest = sorted(weights.bytes.items(), key=lambda item: -item[1])
    return ", ".join(f"{units.text(size, Unit.BYTES)} of {dtype}" for dtype, size in largest)

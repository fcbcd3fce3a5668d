"""What `aiperf.compare` returns."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_aiperf import units
from pytest_aiperf.parity import Parity
from pytest_aiperf.terms import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate beside its reference. NaN and None stand for what was not measured; the text is a table."""

    speedup: float
    """Seconds of the reference over those of the candidate; above 1 is faster."""
    speedup_interval: tuple[float, float]
    """What the pairs in the test's own process leave possible (confidence about 99 %)."""
    reference_seconds: float
    """Median of one call on the first batch."""
    candidate_seconds: float
    pairs: int
    score: str
    """Name of the quality figure."""
    examples: int
    reference_score: float | None
    candidate_score: float | None
    agreement: float | None
    """Share of the examples with the same answer."""
    parity: Parity
    reference_bytes: int | None
    candidate_bytes: int | None

    @classmethod
    def unmeasured(cls) -> Comparison:
        """What a fresh process gets, which only takes turns."""
        nothing = Parity(max_abs_error=math.nan, max_rel_error=math.nan, cosine=math.nan, sqnr_db=math.nan)
        return cls(
            speedup=math.nan,
            speedup_interval=(math.nan, math.nan),
            reference_seconds=math.nan,
            candidate_seconds=math.nan,
            pairs=0,
            score="accuracy",
            examples=0,
            reference_score=None,
            candidate_score=None,
            agreement=None,
            parity=nothing,
            reference_bytes=None,
            candidate_bytes=None,
        )

    @property
    def size_ratio(self) -> float | None:
        """Bytes of the candidate over those of the reference."""
        if not self.reference_bytes or self.candidate_bytes is None:
            return None
        return self.candidate_bytes / self.reference_bytes

    @property
    def score_drop(self) -> float | None:
        """What the candidate lost, in the score's own unit (0.01 is a point of accuracy)."""
        if self.reference_score is None or self.candidate_score is None:
            return None
        return self.reference_score - self.candidate_score

    def __str__(self) -> str:
        low, high = self.speedup_interval
        rows = [
            ("latency", self.reference_seconds, self.candidate_seconds, Unit.SECONDS, self._speedup(low, high)),
            (
                f"{self.score} of {self.examples}",
                self.reference_score,
                self.candidate_score,
                Unit.FRACTION,
                self._alike(),
            ),
            (
                "size",
                self.reference_bytes,
                self.candidate_bytes,
                Unit.BYTES,
                "" if self.size_ratio is None else f"{self.size_ratio:.2f}x",
            ),
        ]
        lines = [f"{'':<20}{'reference':>12}{'candidate':>12}"]
        for name, old, new, unit, more in rows:
            if old is not None or new is not None:
                lines.append(f"{name:<20}{_text(old, unit):>12}{_text(new, unit):>12}  {more}".rstrip())
        if self.reference_score is None and self.agreement is not None:
            lines.append(f"{'answers':<20}{self._alike()}")
        far = self.parity
        lines.append(
            f"{'outputs':<20}SQNR {far.sqnr_db:.1f} dB, largest error {far.max_abs_error:.3g}, cosine {far.cosine:.6f}"
        )
        return "\n".join(lines)

    def _alike(self) -> str:
        return "" if self.agreement is None else f"{self.agreement:.1%} answered alike"

    def _speedup(self, low: float, high: float) -> str:
        return "" if math.isnan(self.speedup) else f"{self.speedup:.2f}x [{low:.2f}, {high:.2f}] in {self.pairs} pairs"


def _text(value: float | None, unit: Unit) -> str:
    return "-" if value is None or math.isnan(value) else units.text(float(value), unit)

"""What one label has gathered so far, and the record in which a measurement adds to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pytest_aiperf.measuring.metrics.load_time import Loading
from pytest_aiperf.vocabulary.baseline import PortableValue
from pytest_aiperf.vocabulary.model_figures import Variant
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import HELD_BEFORE, Metric, Origin

_GATHERED = ("facts", "reasons", "breakdown", "anomalies", "scores")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a measurement saw; of what it leaves out it says nothing."""

    samples: Sequence[Sample] = ()
    """Of two of one metric in one process the higher one counts: they are peaks."""
    latest: Sequence[Sample] = ()
    """Samples that take the place of earlier ones: those of a pass that was repeated."""
    paths: tuple[Path, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Metric -> why its figure is what it is."""
    breakdown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Metric -> what its figure is made of."""
    anomalies: tuple[str, ...] = ()
    partial: bool = False
    """Whether a fresh process measured only a part, and the test's own asserts miss the rest."""
    out_of_memory: str | None = None
    scores: tuple[Metric, ...] = ()
    disturbances: tuple[str, ...] | None = None
    conditions: Mapping[str, str] | None = None
    covariate: float | None = None
    reference: Mapping[str, PortableValue] | None = None
    """Of a comparison: what the reference model gave."""
    accuracy_margin: float | None = None
    variant: Variant | None = None

    def told(self) -> dict[str, Any]:
        """What was said, under the names that a `Measurement` has for it."""
        return {name: said for name in (*_ONCE, *_GATHERED) if (said := getattr(self, name)) is not None}

    def beside(self, earlier: Observed) -> Observed:
        """Both, without their samples; of what can only be said once, this counts."""
        return Observed(
            paths=self.paths or earlier.paths,
            facts={**earlier.facts, **self.facts},
            reasons={**earlier.reasons, **self.reasons},
            breakdown={**earlier.breakdown, **self.breakdown},
            anomalies=(*earlier.anomalies, *self.anomalies),
            partial=self.partial or earlier.partial,
            scores=(*earlier.scores, *self.scores),
            **{name: getattr(earlier if getattr(self, name) is None else self, name) for name in _ONCE},
        )


_ONCE = tuple(known.name for known in fields(Observed) if known.default is None)
"""What can only be said once."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """One label of a test."""

    label: str
    kinds: set[str] = field(default_factory=set)
    samples: dict[tuple[str, Origin], Sample] = field(default_factory=dict)
    fresh: list[Sample] = field(default_factory=list)
    """Samples that came from fresh processes."""
    loading: Loading | None = None
    """A load that this process measures."""
    seen: Observed = field(default_factory=Observed)
    """All that was taken, but samples."""

    def take(self, seen: Observed) -> None:
        """Keep what a measurement saw."""
        for sample in seen.samples:
            self._add(sample)
        self.samples |= {(sample.metric, sample.origin): sample for sample in seen.latest}
        self.seen = seen.beside(self.seen)

    def _add(self, sample: Sample) -> None:
        """Of two peaks in one process the higher one counts, and what it is made of stays known."""
        key = (sample.metric, sample.origin)
        known = self.samples.get(key)
        if known is None:
            self.samples[key] = sample
            return
        lower, higher = (sample, known) if sum(known.values) > sum(sample.values) else (known, sample)
        first = {name: known.parts[name] for name in (HELD_BEFORE,) if name in known.parts}
        self.samples[key] = replace(higher, parts={**lower.parts, **higher.parts, **first})

    def has(self, metric: str) -> bool:
        """Whether any process took a sample of `metric`."""
        return any(sample.metric == metric for sample in (*self.samples.values(), *self.fresh))

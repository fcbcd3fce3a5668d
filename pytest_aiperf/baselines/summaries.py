"""Which number of each sample a baseline keeps, and why some are never kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from pytest_aiperf.baselines.file_format import SESSION_WORDS
from pytest_aiperf.vocabulary.example_values import MOST_BITS, MOST_GRADED, pack, rounded
from pytest_aiperf.vocabulary.records import Measurement, Sample
from pytest_aiperf.vocabulary.terms import Metric, Origin, Rule

_ORIGINS: Mapping[Rule, Sequence[Origin]] = {
    Rule.TIME: (Origin.IN_PROCESS,),
    Rule.LOAD_TIME: (Origin.FRESH,),
    Rule.PROCESS_MEMORY: (Origin.FRESH,),
    Rule.EXACT: (Origin.FRESH, Origin.IN_PROCESS),
    Rule.QUALITY: (Origin.IN_PROCESS, Origin.FRESH),
    Rule.SHOWN: (Origin.IN_PROCESS,),
}
"""Whose samples are kept: of the first origin that has any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storable:
    """One metric's number, rounded as the file keeps it."""

    metric: Metric
    value: float
    examples: str | None = None
    """Packed, where there is one value per example."""
    note: str = ""


def sort_out(measurement: Measurement, metrics: Mapping[str, Metric]) -> tuple[tuple[Storable, ...], Mapping[str, str]]:
    """Return what can be stored of a measurement, and for every other metric why not. Shown ones are in neither."""
    storable: list[Storable] = []
    refused: dict[str, str] = {}
    for name in dict.fromkeys(sample.metric for sample in measurement.samples):
        metric = metrics.get(name)
        if metric is not None and metric.rule in (Rule.SHOWN, Rule.LEAK, Rule.SPEEDUP) and not metric.kept:
            continue
        found = _storable(metric, name, measurement)
        if isinstance(found, Storable):
            storable.append(found)
        else:
            refused[name] = f"not stored: {found}"
    return tuple(storable), refused


def _storable(metric: Metric | None, name: str, measurement: Measurement) -> Storable | str:
    """What is stored of a metric that was measured, or should have been; or why nothing is."""
    if metric is None:
        return "no metric has this name"
    if measurement.disqualified:
        return measurement.disqualified[0]
    if not metric.portable and name in SESSION_WORDS:
        return "a baseline file uses this word for something else"
    values = measurement.values(name, *_ORIGINS[metric.rule])
    if not values:
        return _why_nothing([sample for sample in measurement.samples if sample.metric == name])
    if not all(math.isfinite(value) for value in values):
        return "some of its values are not finite"
    if metric.rule.is_timed and min(values) <= 0:
        return "some of its values are not above zero"
    return _summary(metric, values)


def _why_nothing(samples: Sequence[Sample]) -> str:
    if any(sample.values for sample in samples):
        where = "in a fresh process" if samples[0].origin is Origin.IN_PROCESS else "in the test's own process"
        return f"it was not measured {where}"
    notes = [note for sample in samples for note in sample.told]
    return notes[0] if notes else "it could not be measured"


def _summary(metric: Metric, values: Sequence[float]) -> Storable:
    if metric.rule is Rule.EXACT:
        return Storable(metric=metric, value=max(values))
    if metric.rule is not Rule.QUALITY:
        return Storable(metric=metric, value=rounded(metric.middle(values)))
    if len(values) == 1:
        return Storable(metric=metric, value=rounded(values[0]))
    examples = pack(values)
    too_many = (
        f"only the mean is kept: at most {MOST_BITS:,} right-or-wrong or {MOST_GRADED:,} graded examples are stored"
    )
    return Storable(
        metric=metric, value=rounded(fmean(values)), examples=examples, note="" if examples is not None else too_many
    )

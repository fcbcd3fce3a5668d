"""Quality figures that the test computes itself: one value per example, or one number."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Better, Metric, Rule, Unit

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ROUNDING = 1e-6
"""The mean of ones in float32 may be a little above 1."""

METRIC = Metric(
    name="accuracy",
    title="accuracy",
    unit=Unit.FRACTION,
    better=Better.HIGHER,
    rule=Rule.QUALITY,
    portable=True,
    measured_by="aiperf.score(...) or aiperf.compare(..., labels)",
)
METRICS = (METRIC,)


def metric_of(name: str, better: str, *, reserved: Collection[str] = ()) -> Metric:
    """The metric of a score. Raises UsageError for a name that could not be stored, or that another metric has."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"aiperf.score(name={name!r}): a name is lower-case letters, digits and underscores")
    if better not in ("higher", "lower"):
        raise UsageError(f"aiperf.score(better={better!r}): expected 'higher' or 'lower'")
    if name == METRIC.name:
        if better == "lower":
            raise UsageError("aiperf.score(better='lower'): accuracy is better when higher; give the figure a name=")
        return METRIC
    if name in reserved:
        others = ", ".join(sorted({*reserved} - {METRIC.name}))
        raise UsageError(f"aiperf.score(name={name!r}): another metric has this name; reserved are {others}")
    by = f"aiperf.score(..., name={name!r})"
    return replace(METRIC, name=name, title=name, unit=Unit.NUMBER, better=Better(better), measured_by=by)


def sample(scores: Any, *, name: str) -> Sample:
    """Scores of any shape that iterates (list, array, tensor), or one number, as a sample.

    Raises UsageError for an empty or non-numeric collection, and for an accuracy that is no fraction.
    """
    if hasattr(scores, "tolist"):  # numpy arrays and tensors of every framework, on every device
        scores = scores.tolist()
    flat = list(scores) if isinstance(scores, Iterable) and not isinstance(scores, str) else [scores]
    try:
        values = tuple(float(score) for score in flat)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"aiperf.score: expected one number per example (correct is 1, wrong is 0) or one number: {error}"
        ) from None
    if not values:
        raise UsageError("aiperf.score: no scores given; an accuracy of nothing is not a pass")
    if name == METRIC.name:
        _check_fractions(values)
    return Sample(metric=name, values=values)


def _check_fractions(values: tuple[float, ...]) -> None:
    """A value that is not finite passes: it is an answer (anomalous), not a mistake in the call."""
    for value in values:
        if math.isfinite(value) and not -_ROUNDING <= value <= 1 + _ROUNDING:
            raise UsageError(
                f"aiperf.score: an accuracy of {value:g} is no fraction between 0 and 1; divide percent by 100, "
                "or give another figure a name="
            )

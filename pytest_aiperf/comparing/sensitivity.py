"""`aiperf.sensitivity`: what each layer costs when it alone is optimised."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_aiperf.comparing import quality
from pytest_aiperf.comparing.compared_model import Model
from pytest_aiperf.comparing.scoring import Question
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.contracts import Frameworks
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.terms import Unit

BITS = 8
FEWEST_BITS, MOST_BITS = 2, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCost:
    """One layer, optimised alone."""

    name: str
    parameters: int
    sqnr_db: float
    """Of the model's outputs."""
    agreement: float | None
    score: float | None
    score_drop: float | None
    """To the model as it was, in the score's own unit."""


class Sensitivity(list[LayerCost]):
    """Layers, the one that costs most first; the text is a table."""

    def __init__(self, costs: Iterable[LayerCost], *, score: str) -> None:
        super().__init__(sorted(costs, key=lambda cost: (-(cost.score_drop or 0.0), cost.sqnr_db)))
        self._score = score

    def __str__(self) -> str:
        scored = any(cost.score is not None for cost in self)
        table = [("layer", "parameters", "SQNR", "alike", *((self._score, "lost") if scored else ()))]
        table += [tuple(self._cells(cost, scored=scored)) for cost in self]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in table]
        return "\n".join(map("  ".join, lines))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} layers>"

    def most_sensitive(self, count: int) -> list[str]:
        """Names of the layers that cost most: the ones to leave as they were."""
        return [cost.name for cost in self[:count]]

    @staticmethod
    def _cells(cost: LayerCost, *, scored: bool) -> Iterator[str]:
        yield cost.name or "(the model itself)"
        yield units.count(cost.parameters)
        yield units.text(cost.sqnr_db, Unit.DECIBEL)
        yield "-" if cost.agreement is None else f"{cost.agreement:.1%}"
        if scored:
            yield units.text(cost.score, Unit.FRACTION)
            yield units.points(-(cost.score_drop or 0.0))


def sensitivity(
    model: Any,
    optimise: Callable[[Any, str], Any] | None,
    asked: Question,
    *,
    layers: Sequence[str] | None,
    bits: int,
    frameworks: Frameworks,
) -> Sensitivity:
    """Optimise each layer of a copy alone, and compare. Raises UsageError."""
    known = _layers(model)
    chosen = list(known) if layers is None else list(layers)
    if unknown := [name for name in chosen if name not in known]:
        raise UsageError(f"aiperf.sensitivity: no layer {unknown[0]!r} with weights; there are: {', '.join(known)}")
    if not chosen:
        raise UsageError("aiperf.sensitivity: the model has no layers with weights")
    if optimise is None and not FEWEST_BITS <= bits <= MOST_BITS:
        raise UsageError(f"aiperf.sensitivity: bits={bits}: expected {FEWEST_BITS} to {MOST_BITS}")
    optimise = optimise or functools.partial(_quantise, bits=bits)
    reference = Model(model, frameworks)
    costs, title = [], ""
    with frameworks.inference():
        for name in chosen:
            copied = copy.deepcopy(model)
            changed = optimise(copied, name)
            candidate = Model(copied if changed is None else changed, frameworks)
            seen = quality.quality(reference, candidate, asked, referee=False)
            title = seen.metric.title
            costs.append(_cost(name, known[name], seen))
    return Sensitivity(costs, score=title)


def _cost(name: str, parameters: int, seen: quality.Quality) -> LayerCost:
    old, new = quality.mean(seen.reference), quality.mean(seen.candidate)
    return LayerCost(
        name=name,
        parameters=parameters,
        sqnr_db=seen.parity.sqnr_db,
        agreement=quality.mean(seen.agreement),
        score=new,
        score_drop=None if old is None or new is None else old - new,
    )


def _layers(model: Any) -> dict[str, int]:
    """Name -> parameters of every module that holds weights of two dimensions or more itself."""
    if not hasattr(model, "named_modules"):
        raise UsageError(f"aiperf.sensitivity: a {type(model).__name__} has no layers: pass a torch module")
    return {
        name: sum(parameter.numel() for parameter in layer.parameters(recurse=False))
        for name, layer in model.named_modules()
        if any(parameter.dim() > 1 for parameter in layer.parameters(recurse=False))
    }


def _quantise(model: Any, name: str, *, bits: int) -> None:
    """Round a layer's weights to so many bits: symmetric, one scale per output channel (Jacob et al. 2018)."""
    levels = 2 ** (bits - 1) - 1
    for parameter in model.get_submodule(name).parameters(recurse=False):
        if parameter.dim() > 1:
            rows = parameter.data.flatten(1)
            scale = rows.abs().amax(dim=1, keepdim=True) / levels
            scale[scale == 0] = math.inf
            rounded = (rows / scale).round() * scale.nan_to_num(posinf=0.0)
            parameter.data.copy_(rounded.reshape(parameter.shape))

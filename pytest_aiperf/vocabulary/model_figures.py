"""What is known of two models that are compared, beside what was timed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What a model is made of, where its runtime can say."""

    parameters: int
    """Elements of all learnt tensors."""
    zeros: int | None
    """Of these exactly 0, those that pruning masks hide included; None where a packed format hides them."""
    bytes: Mapping[str, int] = field(default_factory=dict)
    """dtype -> bytes of parameters and buffers."""
    masks: int = 0
    """Pruning masks that are applied again in every call."""

    @property
    def sparsity(self) -> float | None:
        """Share of the parameters that is exactly 0."""
        return None if self.zeros is None or not self.parameters else self.zeros / self.parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """One of the two models of a comparison; None for what was not measured."""

    score: float | None = None
    size: int | None = None
    """Bytes."""
    memory: int | None = None
    """Bytes: the model and what its first call adds at its peak."""
    weights: Weights | None = None
    macs: int | None = None
    """Multiply-accumulates of one call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A candidate and its reference, as a table of all candidates shows them."""

    group: str
    name: str
    score: str
    """Title of the quality figure."""
    agreement: float | None
    reference: ModelFigures
    candidate: ModelFigures

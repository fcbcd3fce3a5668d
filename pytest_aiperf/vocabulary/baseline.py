"""What is stored of one test and label, as the verdicts see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ON_GPU = "GPU: "
"""Begins a line of code that allocated on a device, where a file has it among the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocations:
    """Line of code -> bytes that it held at the peak of a memory."""

    host: Mapping[str, float] = field(default_factory=dict)
    gpu: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_lines(cls, lines: Mapping[str, float]) -> Allocations:
        """Both in one mapping, as files have them: a line that allocated on a device begins with `GPU: `."""
        gpu = {line.removeprefix(ON_GPU): size for line, size in lines.items() if line.startswith(ON_GPU)}
        return cls(host={line: size for line, size in lines.items() if not line.startswith(ON_GPU)}, gpu=gpu)

    def __bool__(self) -> bool:
        return bool(self.host or self.gpu)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One run of the suite on one machine class: one number per metric."""

    at: str
    commit: str | None
    covariate: float | None
    disturbed: bool
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortableValue:
    """A stored value that holds on every machine."""

    value: float
    at: str
    commit: str | None
    examples: tuple[float, ...] | None = None
    """One value per example, in order, where the metric has examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What is stored for one label of one test, as seen from one machine class."""

    test: str
    label: str
    source: str | None
    files: Mapping[str, str]
    portable: Mapping[str, PortableValue]
    sessions: tuple[Session, ...]
    """Of this machine class, oldest first."""
    allocations: Allocations = field(default_factory=Allocations)
    """Of the last session that was stored."""
    other_classes: int = 0
    """How many other machine classes have sessions."""

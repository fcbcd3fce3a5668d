"""What a process lends to its trials: tools, runtimes, the machine for itself, fresh processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pytest_aiperf.machine.reference_workload import ReferenceWorkload
from pytest_aiperf.vocabulary.contracts import Frameworks, Probes, Tools, TurnLine
from pytest_aiperf.vocabulary.terms import Metric

if TYPE_CHECKING:
    from pytest_aiperf.measuring.trial import Trial


class Fresh(Protocol):
    """Fresh processes that measure something of a test while it runs; what they saw goes to its trial."""

    def measure_loads(self, trial: Trial) -> None:
        """Every load of the test, before this process runs its loader."""

    def weigh(self, trial: Trial) -> None:
        """The memory of both models of each comparison."""

    def gather(self, trial: Trial, names: tuple[str, ...]) -> None:
        """The memory of several models, alone and together."""


@dataclass(slots=True, kw_only=True)
class RunContext:
    """Of the run, of a fresh process, or of a run that measures nothing: what is left out is nothing to them."""

    tools: Tools
    frameworks: Frameworks
    metrics: Mapping[str, Metric]
    """Every known one, by name."""
    probes: Probes = lambda _: ()
    """Of other packages' metrics."""
    exclusive: Callable[[str], AbstractContextManager[object]] = nullcontext
    """Hold the machine for a timed section, which is shown as progress; a fresh process's parent holds it already."""
    reference: ReferenceWorkload | None = None
    """Gives the covariate of what is timed; None in a fresh process, whose parent keeps it."""
    fresh: Fresh | None = None
    """None where no further processes are started: in one of them, and where nothing is measured."""
    turn_line: TurnLine | None = None
    """The line to a parent that calls the turns."""
    imports: Mapping[str, float] = field(default_factory=dict)
    """Seconds that importing each runtime took, where this process measured it."""
    memory_always: bool = False
    base: int = 0
    """Bytes of this process after collection, before the first test."""

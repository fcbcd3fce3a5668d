"""What a candidate is paired with: fresh processes of one tree, of which one takes the reference's turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_aiperf.processes.child import Report, run_test
from pytest_aiperf.processes.pairs import PairedProcesses
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.pairing import Arm


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedUp:
    """Why the sides did not run different code."""

    reason: str
    anomaly: bool
    """Whether something is set up wrongly; else there was nothing of the project to compare."""


@dataclass(slots=True, kw_only=True)
class Reference(PairedProcesses):
    """A reference model as it stands: nothing to prepare or to prove, only the orders of the two sides differ."""

    against: str
    uncompared: Mapping[str, str] = field(default_factory=dict)
    """Metric -> why it says nothing about the code here; known after `prepare`."""

    def prepare(self) -> str | None:
        """Make ready for `block` and `run`, once; why that cannot be, or None."""
        return None

    def run(self, arm: Arm, order: Order) -> Report:
        """One test in a fresh process of one side."""
        return run_test(self.launches[arm], self.heard(arm, order), watched=self.watched)

    def mixed_up(self, files: Mapping[Arm, Sequence[str]]) -> MixedUp | None:  # noqa: ARG002 - both run the same code
        """What the files that each side has read so far prove against a comparison; None: nothing."""
        return None

    def common(self, models: Iterable[Path]) -> tuple[str, ...]:  # noqa: ARG002 - models differ, not their surroundings
        """Files that both sides have read and no revision holds; `models`: those of a test's models."""
        return ()

    def close(self) -> None:
        """Leave nothing behind."""
        for launch in self.launches.values():
            launch.reaper.close()

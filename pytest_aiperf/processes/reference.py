"""What a candidate is paired with: fresh processes of one tree, of which one takes the reference's turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.processes.child import Launch, Report, run_test
from pytest_aiperf.processes.pairs import PairBlock, PairedProcesses, PairOrder
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.pairing import Arm


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedUp:
    """Why the sides did not run different code."""

    reason: str
    anomaly: bool
    """Whether something is set up wrongly; else there was nothing of the project to compare."""


class Reference:
    """A reference model as it stands: nothing to prepare or to prove, only the orders of the two sides differ."""

    watched: tuple[str, ...] = ()
    """Folders whose files, where a process reads any, are evidence of whose code it ran."""

    def __init__(self, against: str, launch: Launch, machine: MachineWatch) -> None:
        self.against = against
        self.launch = launch
        self.launches = dict.fromkeys(Arm, launch)
        self.machine = machine
        self.uncompared: dict[str, str] = {}
        """Metric -> why it says nothing about the code here; known after `prepare`."""

    def prepare(self) -> str | None:
        """Make ready, once; why that cannot be, or None."""
        return None

    def block(self, seed: int, asked: Sequence[PairOrder], *, together: bool) -> PairBlock:
        """One block of tests; only after `prepare`."""
        here = [
            replace(one, orders={arm: self.heard(arm, order) for arm, order in one.orders.items()}) for one in asked
        ]
        processes = PairedProcesses(launches=self.launches, watched=self.watched, machine=self.machine)
        return processes.block(seed, here, together=together)

    def run(self, arm: Arm, order: Order) -> Report:
        """One test in a fresh process of one side; only after `prepare`."""
        return run_test(self.launches[arm], self.heard(arm, order), watched=self.watched)

    def heard(self, arm: Arm, order: Order) -> Order:  # noqa: ARG002 - who has two trees needs to know which
        """The order as this side's process has to hear it."""
        return order

    def mixed_up(self, files: Mapping[Arm, Sequence[str]]) -> MixedUp | None:  # noqa: ARG002 - both run the same code
        """What the files that each side has read so far prove against a comparison; None: nothing."""
        return None

    def close(self) -> None:
        """Leave nothing behind."""
        if self.launch.reaper is not None:
            self.launch.reaper.close()

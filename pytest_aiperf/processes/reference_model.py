"""The reference model of a comparison: fresh processes of one tree, of which one takes the reference's turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.processes.child import Launch
from pytest_aiperf.processes.pairs import PairBlock, PairedProcesses, PairOrder
from pytest_aiperf.processes.worker import FreshProcesses, Report
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.pairing import REFERENCE_MODEL, Arm


class ReferenceModel:
    """Nothing to prepare, to prove or to remove: only the orders of the two sides differ."""

    against = REFERENCE_MODEL
    uncompared: Mapping[str, str] = {}

    def __init__(self, launch: Launch, machine: MachineWatch) -> None:
        self.launches = dict.fromkeys(Arm, launch)
        self.machine = machine

    def prepare(self) -> None:
        """Always ready."""

    def block(self, seed: int, asked: Sequence[PairOrder], *, together: bool) -> PairBlock:
        """One fresh process per model."""
        processes = PairedProcesses(launches=self.launches, watched=(), machine=self.machine)
        return processes.block(seed, asked, together=together)

    def run(self, arm: Arm, order: Order) -> Report:
        """One test in a fresh process."""
        return FreshProcesses(self.launches[arm]).run(order)

    def mixed_up(self, files: Mapping[Arm, Sequence[str]]) -> None:
        """Both sides are meant to run the same code."""

    def close(self) -> None:
        """Nothing was made."""

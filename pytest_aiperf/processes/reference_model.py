"""The two models of a comparison as opponents: fresh processes of the same tree, one takes the reference's turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.measuring.trial import Order
from pytest_aiperf.processes.child import Launch
from pytest_aiperf.processes.pairs import PairedProcesses, PairOrder, Round
from pytest_aiperf.processes.worker import FreshProcesses, Report
from pytest_aiperf.vocabulary.pairing import REFERENCE_MODEL, Side


class Twins:
    """Nothing to prepare, to prove or to remove: only the orders of the two sides differ."""

    against = REFERENCE_MODEL
    uncompared: Mapping[str, str] = {}

    def __init__(self, launch: Launch, machine: MachineWatch) -> None:
        self.launches = dict.fromkeys(Side, launch)
        self.machine = machine

    def prepare(self) -> None:
        """Always ready."""

    def block(self, seed: int, asked: Sequence[PairOrder], *, together: bool) -> Round:
        """One fresh process per model."""
        processes = PairedProcesses(launches=self.launches, watched=(), machine=self.machine)
        return processes.block(seed, asked, together=together)

    def run(self, side: Side, order: Order) -> Report:
        """One test in a fresh process."""
        return FreshProcesses(self.launches[side]).run(order)

    def mixed_up(self, files: Mapping[Side, list[str]]) -> None:
        """Both sides are meant to run the same code."""

    def close(self) -> None:
        """Nothing was made."""

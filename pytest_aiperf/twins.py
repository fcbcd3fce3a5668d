"""The two models of a comparison as opponents: fresh processes of the same tree, one takes the reference's turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_aiperf.child import Launch
from pytest_aiperf.disturbance import MachineWatch
from pytest_aiperf.pairing import REFERENCE_MODEL, Side
from pytest_aiperf.pairs import PairedProcesses, PairOrder, Round
from pytest_aiperf.trial import Order
from pytest_aiperf.worker import FreshProcesses, Report


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

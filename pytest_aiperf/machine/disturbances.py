"""What disturbs the whole machine while a pair runs: throttling, steal, slow clocks, busy devices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median

from pytest_aiperf.machine import cgroup, processor, procfs
from pytest_aiperf.machine.gpu_records import Condition
from pytest_aiperf.machine.load import OtherProcesses
from pytest_aiperf.machine.nvml import Nvml
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.contracts import ForeignLoad
from pytest_aiperf.vocabulary.terms import DISTURBED_SHARE, Unit

MOST_STEAL = 0.02
"""Share of the machine that other virtual machines may take."""
SLOWEST_CLOCK = 0.9
"""Share of the session's median clock below which a block is not like the others."""
FEWEST_CLOCKS = 3
QUIET_WINDOW = 0.25
LONGEST_WAIT = 10.0
SHORTEST_WAIT = 0.5


@dataclass(kw_only=True)
class MachineWatch:
    """Counters read before and after a block; everything that reads them is an argument."""

    root: Path = Path("/")
    nvml: Nvml | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    foreign: ForeignLoad = field(default_factory=OtherProcesses)
    processors: int = field(default_factory=processor.processors)
    longest_wait: float = LONGEST_WAIT
    clocks: dict[str, list[float]] = field(init=False, default_factory=dict)
    patience: float = field(init=False)
    """How long to wait next time: a machine that stays busy is waited for less and less."""

    def __post_init__(self) -> None:
        self.patience = self.longest_wait

    def start(self) -> None:
        """A block begins."""
        self._throttled = cgroup.throttled(self.root)
        self._ticks = procfs.ticks(self.root)

    def seen(self) -> tuple[str, ...]:
        """What disturbed the machine since `start`."""
        return (*self._throttling(), *self._steal(), *self._slow_clocks(), *self._devices())

    def wait_for_quiet(self) -> bool:
        """Let time pass until others leave the processor alone, or patience ends; which of them it was.

        Nothing of ours may run meanwhile.
        """
        deadline = self.clock() + self.patience
        while self.clock() < deadline:
            self.foreign.start()
            self.sleep(QUIET_WINDOW)
            if (self.foreign.share() or 0.0) < DISTURBED_SHARE:
                self.patience = self.longest_wait
                return True
        self.patience = max(SHORTEST_WAIT, self.patience / 2)
        return False

    def _throttling(self) -> Iterator[str]:
        now = cgroup.throttled(self.root)
        if now is not None and self._throttled is not None and now[0] > self._throttled[0]:
            seconds = now[1] - self._throttled[1]
            yield f"the container's processor quota throttled it for {units.text(seconds, Unit.SECONDS)}"

    def _steal(self) -> Iterator[str]:
        share = procfs.stolen_share(self._ticks, procfs.ticks(self.root)) or 0.0
        if share > MOST_STEAL:
            yield f"other virtual machines took {share:.0%} of the processor"

    def _slow_clocks(self) -> Iterator[str]:
        told = procfs.each(self.root, "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq").values()
        kilohertz = [int(text) for text in told if text.isdecimal()]  # some virtual machines: <unknown>
        if kilohertz:
            yield from self._clock("processor", fmean(kilohertz) / 1000)

    def _clock(self, name: str, megahertz: float) -> Iterator[str]:
        known = self.clocks.setdefault(name, [])
        usual = median(known) if len(known) >= FEWEST_CLOCKS else megahertz
        known.append(megahertz)
        if megahertz < SLOWEST_CLOCK * usual:
            yield f"the {name}'s clock fell to {megahertz:.0f} MHz, usually {usual:.0f}"

    def _devices(self) -> Iterator[str]:
        for uuid, condition in self.nvml.conditions().items() if self.nvml is not None else ():
            if isinstance(condition, Condition):
                yield from condition.disturbances(uuid)
                yield from self._clock(uuid, float(condition.clock_mhz))

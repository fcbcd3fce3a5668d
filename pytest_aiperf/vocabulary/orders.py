"""What a process is asked to measure of a test."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pytest_aiperf.vocabulary.pairing import Arm
from pytest_aiperf.vocabulary.terms import Cache, Origin


class Role(Enum):
    """What one process does with one test."""

    NOTHING = "nothing"
    """Run it, and measure nothing."""
    TEST = "test"
    """Run it, time it, and take a first look at its memory; whatever needs a fresh process is asked of one."""
    TIME = "time"
    """Time it once more."""
    MEMORY = "memory"
    """Read its peaks, those of loads included."""
    TRACE = "trace"
    """Trace who allocates; nothing else that such a process measures is true."""
    TURNS = "turns"
    """Time it in turns, as the parent calls them."""
    WEIGH = "weigh"
    """Read the memory of one model of each comparison."""
    MEMBERS = "members"
    """Read the memory of some models of a set."""

    @property
    def times(self) -> bool:
        """Whether calls are timed one after the other."""
        return self in (Role.TEST, Role.TIME)

    @property
    def reads_memory(self) -> bool:
        """Whether peaks are read."""
        return self not in (Role.NOTHING, Role.TIME, Role.TURNS)

    @property
    def is_partial(self) -> bool:
        """Whether only some of the test's models run: what the test takes as a whole says nothing."""
        return self in (Role.TURNS, Role.WEIGH, Role.MEMBERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one process measures of one test."""

    test: str
    role: Role = Role.TEST
    load: Cache | None = None
    """Measure loads, and find their files so; None: only run the loader."""
    calls: int = 20
    seconds: float = 0.75
    max_seconds: float = 30.0
    arm: Arm = Arm.CANDIDATE
    """Which model of a comparison takes the turns, or is weighed."""
    members: tuple[str, ...] = ()
    """Of a set: the names of the models that are loaded together, in this order; empty: all, as the test has them."""
    flush: bool = False
    """Empty the devices' caches before each timed call."""
    slowdown: float | None = None
    """Spin for this share of each timed call behind it (0: the same wrapper without a spin): a known slowdown."""
    slowed_every: int = 1
    """Slow down one call of so many."""
    path: str = ""
    """The test's module, where the node id alone does not say; absolute."""

    @property
    def origin(self) -> Origin:
        """Where what this process measures comes from."""
        return Origin.IN_PROCESS if self.role is Role.TEST else Origin.FRESH

"""Clocks, memories and processors that do what a test says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

from pytest_aiperf.vocabulary.contracts import Tools
from pytest_aiperf.vocabulary.devices import Accelerator, Devices, DevicesSeen, GpuMemory


def exclusive(what: str) -> AbstractContextManager[None]:
    """A machine that nobody else wants."""
    return nullcontext()


class FakeClock:
    """Nanoseconds that pass only when something says so."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)


class FakeMemory:
    """A process whose peak and present memory are given."""

    def __init__(self, *, now: int = 0, peak: int | None = 0, mapped: int | None = 0, resettable: bool = True) -> None:
        self._now, self._peak, self._mapped, self._resettable = now, peak, mapped, resettable
        self.resets = 0

    def reset_peak(self) -> bool:
        self.resets += 1
        return self._resettable

    def peak(self) -> int | None:
        return self._peak

    def now(self) -> int:
        return self._now

    def give_back(self) -> None:
        self.resets += 100

    def glance(self) -> int:
        return self._now

    def free(self) -> int | None:
        return 3 * 1024**3

    def file_backed(self) -> int | None:
        return self._mapped

    def method(self) -> str:
        return "fake counter"


class FakeForeignLoad:
    """Other processes that use a given share of a core, section after section."""

    def __init__(self, shares: Iterable[float | None] = ()) -> None:
        self.shares = list(shares)

    def start(self) -> None:
        pass

    def share(self) -> float | None:
        return self.shares.pop(0) if self.shares else 0.0

    def spent(self) -> tuple[float, float | None]:
        return 1.0, self.share()


class FakeAccelerator(Accelerator):
    """A device that counts how often it was waited for."""

    def __init__(
        self, *, initialised: bool = True, memory: Sequence[GpuMemory] = (), clock: FakeTimer | None = None
    ) -> None:
        self._initialised = initialised
        self._memory = memory
        self.clock = clock
        self.waits = 0
        self.resets = 0
        self.flushes = 0

    def initialised(self) -> bool:
        return self._initialised

    def wait(self) -> None:
        self.waits += 1

    def reset_peak(self) -> None:
        self.resets += 1

    def memory(self) -> Sequence[GpuMemory]:
        return self._memory

    def timer(self) -> FakeTimer | None:
        return self.clock

    def flush(self) -> None:
        self.flushes += 1


class FakeTimer:
    """A device's clock that shows the given seconds, one after the other; `log` of what it was asked."""

    def __init__(self, *seconds: float) -> None:
        self.told = list(seconds)
        self.log: list[str] = []

    def hold(self, seconds: float) -> None:
        self.log.append(f"hold {seconds:g}")

    def start(self) -> None:
        self.log.append("start")

    def stop(self) -> None:
        self.log.append("stop")

    def seconds(self) -> float:
        return self.told.pop(0) if len(self.told) > 1 else self.told[0]


class FakeConditions:
    """Devices on which each reading of the energy counter is the next one given."""

    def __init__(self, *joules: float | None, seen: DevicesSeen | None = None) -> None:
        self.counter = list(joules) or [None]
        self._seen = seen or DevicesSeen(facts={}, disturbances=())

    def seen(self) -> DevicesSeen:
        return self._seen

    def joules(self) -> float | None:
        return self.counter.pop(0) if len(self.counter) > 1 else self.counter[0]


class QuietMachine:
    """Nothing ever disturbs it."""

    processors = 2

    def start(self) -> None:
        pass

    def seen(self) -> tuple[str, ...]:
        return ()

    def wait_for_quiet(self) -> bool:
        return True


def tools(
    *,
    clock: FakeClock | None = None,
    memory: FakeMemory | None = None,
    accelerators: Sequence[FakeAccelerator] = (),
    foreign: FakeForeignLoad | None = None,
    conditions: FakeConditions | None = None,
) -> Tools:
    """Tools that touch nothing of this machine."""
    return Tools(
        clock=clock or FakeClock(),
        devices=Devices(accelerators),
        memory=memory or FakeMemory(),
        foreign=foreign or FakeForeignLoad(),
        conditions=conditions or FakeConditions(),
    )

"""The driver and the probes of time, on a clock that passes only when the measured function says so."""

from __future__ import annotations

import asyncio
import gc

import pytest

from pytest_aiperf.measuring.driver import Driver, collector_off, is_asynchronous
from pytest_aiperf.measuring.metrics.cpu_memory import RamWatch
from pytest_aiperf.measuring.metrics.latency import Latency
from pytest_aiperf.measuring.metrics.throughput import Throughput
from pytest_aiperf.measuring.watches import Watches
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Origin
from tests.fakes import FakeAccelerator, FakeClock, FakeForeignLoad, FakeMemory, tools


class Work:
    """A function that takes the given seconds, one after the other, then the last for ever."""

    def __init__(self, clock: FakeClock, *seconds: float) -> None:
        self.clock = clock
        self.seconds = list(seconds)
        self.calls = 0

    def __call__(self) -> int:
        self.clock.pass_seconds(self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0])
        self.calls += 1
        return self.calls

    async def asynchronous(self) -> int:
        return self()


def latency(**changes: float) -> Latency:
    return Latency(**{"calls": 20, "seconds": 1.0, "max_seconds": 30.0, **changes})


def test_it_keeps_the_time_of_every_call():
    clock = FakeClock()
    work = Work(clock, *[5.0, 0.5, 0.5, 0.5], *[0.1] * 10, *[0.2] * 10, 0.2)
    (sample,) = Driver(work, tools(clock=clock)).run([latency()])
    assert sample.values == pytest.approx([0.1] * 10 + [0.2] * 10)
    assert sample.parts["first call"] == pytest.approx(5.0)


def test_it_goes_on_until_both_calls_and_seconds_are_reached():
    clock = FakeClock()
    (sample,) = Driver(Work(clock, 0.01), tools(clock=clock)).run([latency(calls=20, seconds=1.0)])
    assert 100 <= len(sample.values) <= 101


def test_it_gives_up_on_calls_that_do_not_fit_and_says_so():
    clock = FakeClock()
    (sample,) = Driver(Work(clock, 10.0), tools(clock=clock)).run([latency(max_seconds=30.0)])
    assert len(sample.values) == 3
    assert "only 3 calls fitted into 30 s" in sample.notes


def test_it_times_very_short_calls_in_batches():
    clock = FakeClock()
    (sample,) = Driver(Work(clock, 1e-6), tools(clock=clock)).run([latency(seconds=0.01)])
    assert sample.notes == ("timed in batches of 100 calls",)
    assert sample.values[0] == pytest.approx(1e-6)


def test_it_counts_items_per_second_of_queued_calls():
    clock = FakeClock()
    device = FakeAccelerator()
    work = Work(clock, 0.02)
    (sample,) = Driver(work, tools(clock=clock, accelerators=[device])).run([Throughput(items=32, seconds=1.0)])
    assert sample.values == pytest.approx([1600.0] * 10)
    turns = 2 + 10
    assert device.waits == 2 * turns, "one wait before and one at the end of each burst, none in between"
    assert work.calls > 10 * 4


def test_it_waits_only_for_devices_that_this_process_started():
    idle = FakeAccelerator(initialised=False)
    clock = FakeClock()
    Driver(Work(clock, 0.1), tools(clock=clock, accelerators=[idle])).run([latency(seconds=0.1)])
    assert idle.waits == 0


def test_it_measures_coroutines_inside_one_loop():
    clock = FakeClock()
    work = Work(clock, 0.1)
    driver = Driver(work.asynchronous, tools(clock=clock), asynchronous=True)
    (sample,) = asyncio.run(driver.drive([latency()]))
    assert sample.values == pytest.approx([0.1] * 20)
    assert driver.result == work.calls


def test_a_function_that_runs_out_of_an_iterator_ends_no_pass():
    spent = iter(())
    with pytest.raises(RuntimeError, match="StopIteration"):
        Driver(lambda: next(spent), tools(clock=FakeClock())).run([latency()])


def test_it_returns_the_result_of_the_last_call():
    clock = FakeClock()
    work = Work(clock, 0.1)
    driver = Driver(work, tools(clock=clock))
    driver.run([latency(), Throughput(items=1, seconds=0.5)])
    assert driver.result == work.calls


def test_it_passes_on_the_error_of_the_function_and_leaves_the_collector_as_it_was():
    clock = FakeClock()
    calls = iter(range(10))

    def failing() -> None:
        clock.pass_seconds(0.1)
        if next(calls) == 8:
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        Driver(failing, tools(clock=clock)).run([latency()])
    assert gc.isenabled()


def test_it_notes_who_else_used_the_processor():
    clock = FakeClock()
    busy = FakeForeignLoad([0.4])
    (sample,) = Driver(Work(clock, 0.1), tools(clock=clock, foreign=busy)).run([latency()])
    assert sample.foreign_share == 0.4


def peak(memory: FakeMemory, *, base: int) -> tuple[Sample, ...]:
    """Of one call in a fresh process."""
    watches = Watches([RamWatch(memory, base=base, origin=Origin.FRESH)])
    return Driver(lambda: None, tools()).run([watches])


@pytest.mark.parametrize(("base", "expected"), [(0, 300.0), (100, 200.0), (400, 0.0)])
def test_it_reports_the_peak_above_the_base(base: int, expected: float):
    memory = FakeMemory(peak=300, mapped=50)
    ram, mapped = peak(memory, base=base)
    assert (ram.values, mapped.values) == ((expected,), (50.0,))
    assert ram.origin is Origin.FRESH


def test_it_says_where_a_peak_counter_is_missing_and_never_reports_zero():
    memory = FakeMemory(peak=None, mapped=None)
    ram, mapped = peak(memory, base=0)
    assert (ram.values, mapped.values) == ((), ())


def test_it_says_where_the_peak_covers_the_whole_process():
    memory = FakeMemory(peak=10, resettable=False)
    ram, _ = peak(memory, base=0)
    assert any("cannot be reset" in note for note in ram.notes)


@pytest.mark.parametrize("was_on", [True, False])
def test_it_puts_the_collector_back_as_it_was(was_on: bool):
    (gc.enable if was_on else gc.disable)()
    try:
        with collector_off():
            assert not gc.isenabled()
        assert gc.isenabled() is was_on
    finally:
        gc.enable()


def test_a_timed_section_collects_only_what_is_young(monkeypatch: pytest.MonkeyPatch):
    """A walk through all that a suite has imported takes longer than a short test."""
    collected: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda generation=2: collected.append(generation))
    with collector_off():
        pass
    assert collected == [1]


def test_it_knows_a_coroutine_function_in_every_dress():
    import functools

    class Callable:
        async def __call__(self) -> None: ...

    async def plain() -> None: ...

    assert is_asynchronous(plain)
    assert is_asynchronous(functools.partial(plain))
    assert is_asynchronous(Callable())
    assert not is_asynchronous(Work(FakeClock(), 1.0))
    assert not is_asynchronous(print)

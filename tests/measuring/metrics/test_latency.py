"""Warming up: compilers and graph captures take calls of their own, told apart from those that are timed."""

from __future__ import annotations

import pytest

from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.measuring.metrics.latency import COMPILED, Latency
from tests.fakes import FakeAccelerator, FakeClock, tools


def timed(*first: float, then: float = 0.01, device=None, flush: bool = False, most: float = 300.0):
    """The sample of a function whose first calls take these seconds, all others `then`."""
    clock, waiting = FakeClock(), list(first)
    driver = Driver(
        lambda: clock.pass_seconds(waiting.pop(0) if waiting else then),
        tools(clock=clock, accelerators=[device] if device else []),
    )
    (sample,) = driver.run([Latency(calls=20, seconds=0.5, max_seconds=most, flush=flush)])
    return sample


def test_a_model_that_compiles_is_warmed_up_until_its_calls_have_settled():
    sample = timed(20.0, 3.0, 0.01, 1.0, 0.01)
    assert sample.values == pytest.approx([0.01] * len(sample.values))
    assert sample.parts["first call"] == pytest.approx(20.0)
    assert sample.parts[COMPILED] == pytest.approx(20.0 + 3.0 + 1.0 - 3 * 0.01)


def test_a_compiler_that_takes_long_does_not_end_the_warm_up():
    sample = timed(20.0, 3.0, 0.01, 1.0, most=30.0)
    assert sample.values == pytest.approx([0.01] * len(sample.values))
    assert len(sample.values) >= 20


def test_a_model_that_is_slow_itself_is_warmed_up_once():
    sample = timed(then=8.0, most=30.0)
    assert len(sample.values) == 4, "two calls to warm up, and as many as fit"


def test_what_needs_no_compiler_has_no_such_part():
    assert timed(0.015).parts == {"first call": pytest.approx(0.015)}


def test_calls_that_never_settle_are_timed_all_the_same():
    sample = timed(*[0.01, 0.05] * 60)
    assert len(sample.values) >= 20


def test_caches_are_flushed_before_each_call_and_waited_for_where_asked():
    device = FakeAccelerator()
    sample = timed(device=device, flush=True)
    assert device.flushes == len(sample.values) + 1 + 3
    other = FakeAccelerator()
    timed(device=other)
    assert other.flushes == 0


def test_very_short_calls_are_not_batched_where_each_one_meets_cold_caches():
    sample = timed(then=1e-6, device=FakeAccelerator(), flush=True)
    assert sample.notes == ()
    assert timed(then=1e-6).notes == ("timed in batches of 100 calls",)

"""Joules per call, from a counter of the whole device."""

from __future__ import annotations

import pytest

from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.measuring.metrics.energy import Energy
from tests.fakes import FakeClock, FakeConditions, tools


def measured(*joules: float | None):
    """What is seen of calls of 50 ms while the counter shows these."""
    clock, calls = FakeClock(), []

    def call() -> None:
        clock.pass_seconds(0.05)
        calls.append(1)

    return Driver(call, tools(clock=clock, conditions=FakeConditions(*joules))).run([Energy(seconds=0.95)]), len(calls)


def test_it_is_what_the_counter_grew_by_per_call():
    (sample,), calls = measured(90.0, 100.0, 160.0)
    assert calls == 1 + 20
    assert sample.values == pytest.approx((60.0 / 20,))
    assert sample.notes == ("20 calls in 1.00 s, of the whole device, what it takes idle included",)


def test_without_a_counter_nothing_is_called():
    assert measured(None) == ((), 0)


def test_a_counter_that_is_lost_midway_gives_no_figure():
    samples, _ = measured(90.0, 100.0, None)
    assert samples == ()

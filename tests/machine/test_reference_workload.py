"""The reference workload: what a reading is, and how long tests share one; on clocks that pass as told."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from pytest_aiperf.machine import reference_workload
from pytest_aiperf.machine.reference_workload import MOST_AGE_SECONDS, SOONEST_SECONDS, ReferenceWorkload, log_seconds
from pytest_aiperf.vocabulary.terms import DISTURBED_SHARE
from tests.fakes import FakeForeignLoad


class Readings:
    """A workload whose readings count up, on a clock that only the test moves; each reading takes a second."""

    def __init__(self, *shares: float | None) -> None:
        self.now = 100.0
        self.collected = 0
        self.taken = 0
        self.workload = ReferenceWorkload(
            foreign=FakeForeignLoad(shares), take=self._take, clock=lambda: self.now, collect=self._collect
        )

    def _take(self) -> float:
        self.taken += 1
        assert self.collected == self.taken  # first, and once for each
        self.now += 1.0
        return float(self.taken)

    def _collect(self) -> None:
        self.collected += 1

    def after(self, seconds: float) -> float:
        """The reading that a test has which is timed so long after the last one."""
        self.now += seconds
        return self.workload.log_seconds()


@pytest.mark.parametrize(("seconds", "taken"), [(0.0, 1), (MOST_AGE_SECONDS, 1), (MOST_AGE_SECONDS + 0.01, 2)])
def test_it_shares_a_reading_until_it_is_too_old(seconds: float, taken: int):
    readings = Readings()
    assert readings.after(0.0) == 1.0
    assert readings.after(seconds) == float(taken)
    assert readings.taken == taken


def test_its_age_counts_from_the_reading_not_from_its_last_use():
    readings = Readings()
    seen = [readings.after(0.4 * MOST_AGE_SECONDS) for _ in range(6)]
    assert seen == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(("seconds", "seen"), [(SOONEST_SECONDS, 1.0), (1.1, 2.0), (MOST_AGE_SECONDS, 2.0)])
def test_it_is_taken_again_soon_after_a_disturbance(seconds: float, seen: float):
    """At once would keep a machine busy that is always disturbed."""
    readings = Readings()
    readings.after(0.0)
    readings.workload.doubt()
    assert readings.after(seconds) == seen


def test_a_new_reading_is_trusted_again():
    readings = Readings()
    readings.after(0.0)
    readings.workload.doubt()
    readings.after(1.1)
    assert readings.after(MOST_AGE_SECONDS - 1.0) == 2.0


@pytest.mark.parametrize(
    ("share", "seen"),
    [(None, [1.0, 1.0, 1.0]), (DISTURBED_SHARE, [1.0, 1.0, 1.0]), (DISTURBED_SHARE + 0.001, [1.0, 2.0, 2.0])],
)
def test_a_reading_that_others_disturbed_is_not_shared(share: float | None, seen: list[float]):
    readings = Readings(share, 0.0)
    assert [readings.after(1.1) for _ in seen] == seen


def test_a_reading_that_may_excuse_what_is_slow_is_taken_until_nobody_disturbs_it():
    busy = DISTURBED_SHARE + 0.001
    assert Readings(busy, busy, 0.0).workload.calm_reading() == 3.0
    assert Readings(busy, busy, busy, 0.0).workload.calm_reading() is None


def test_a_reading_that_is_asked_for_is_new_and_shared_from_then_on():
    readings = Readings()
    readings.after(0.0)
    assert readings.workload.renew() == 2.0
    assert readings.after(MOST_AGE_SECONDS) == 2.0


def readings_of(*seconds: float) -> Iterator[int]:
    """Two readings of a clock per timed round, that many seconds apart."""
    return iter([reading for round_seconds in seconds for reading in (0, round(round_seconds * 1e9))])


def test_it_averages_the_logs_of_the_three_medians():
    """Nine slow rounds suffice for each part."""
    readings = readings_of(*[2.0] * 7, 9.0, 0.5, *[3.0] * 9, *[0.5] * 5, *[4.0] * 4)
    expected = (math.log(2.0) + math.log(3.0) + math.log(0.5)) / 3
    assert log_seconds(lambda: next(readings)) == pytest.approx(expected)
    assert next(readings, None) is None


def test_it_makes_more_rounds_while_they_are_short(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reference_workload, "MOST_ROUNDS", 20)
    readings = readings_of(*[0.001] * 20, *[0.008] * 13, *[0.001] * 20)
    expected = (2 * math.log(0.001) + math.log(0.008)) / 3
    assert log_seconds(lambda: next(readings)) == pytest.approx(expected)
    assert next(readings, None) is None


def test_it_is_finite_on_a_clock_that_stands_still(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reference_workload, "MOST_ROUNDS", 1)
    assert math.isfinite(log_seconds(lambda: 0))

"""Turns of one label: how many, in which order, and which are repeated."""

from __future__ import annotations

import pytest

from pytest_aiperf.measuring.interleaving import Duel, Warm, plan
from pytest_aiperf.vocabulary.pairing import Side

QUIET = {"elapsed": 0.05, "foreign": 0.0}
BUSY = {"elapsed": 0.05, "foreign": 0.03}


class FakePlayer:
    """Answers turns from a list; the last one for ever."""

    def __init__(self, side, log, answers=(QUIET,)):
        self.side = side
        self.log = log
        self.answers = list(answers)

    def turn(self, *, calls, batch, queued):
        self.log.append(self.side)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return None if answer is None else {"values": [1e-3] * calls, **answer}


class FakeMachine:
    processors = 2

    def __init__(self):
        self.waits = 0
        self.becomes_quiet = True

    def wait_for_quiet(self):
        self.waits += 1
        return self.becomes_quiet


def duel(log, old=(QUIET,), new=(QUIET,)):
    machine = FakeMachine()
    return Duel([FakePlayer(Side.OLD, log, old), FakePlayer(Side.NEW, log, new)], machine), machine


def fight(duel, *, rounds=1, metrics=("latency",), queues=False, items=(8, 8)):
    warm = [Warm(seconds=1e-3, queues=queues, items=count) for count in items]
    duel.fight(plan_of(rounds), metrics=metrics, warm=warm)


def plan_of(rounds):
    return plan(5e-3, tail_calls=0, start_seconds={1: 0.0, 3: 9.0}[rounds], tests=1)


@pytest.mark.parametrize(
    ("seconds", "tail_calls", "calls", "batch"),
    [
        (2.0, 0, 1, 1),
        (0.5, 0, 3, 1),
        (10e-3, 0, 5, 1),
        (1e-3, 0, 50, 1),
        (100e-6, 0, 167, 3),
        (1e-6, 0, 200, 250),
        (0.0, 0, 200, 250_000),
        (100e-6, 59, 500, 1),  # every call by itself
        (1e-6, 59, 500, 100),
        (10e-3, 59, 30, 1),  # p95
        (20e-3, 299, 150, 1),  # p99
        (40e-3, 299, 3, 1),  # a turn would take 6 s
        (2.0, 59, 1, 1),
    ],
)
def test_a_turn_takes_three_calls_or_fifty_milliseconds(seconds, tail_calls, calls, batch):
    planned = plan(seconds, tail_calls=tail_calls, start_seconds=0.0, tests=1)
    assert (planned.calls, planned.batch) == pytest.approx((calls, batch), abs=1)


@pytest.mark.parametrize(("start", "tests", "rounds"), [(3.0, 1, 3), (3.0, 50, 1), (0.5, 1, 2), (0.0, 1, 1)])
def test_few_tests_make_more_of_a_start(start, tests, rounds):
    assert plan(1e-3, tail_calls=0, start_seconds=start, tests=tests).rounds == rounds


def test_turns_alternate_as_a_b_b_a():
    log = []
    fought, _ = duel(log)
    fight(fought, rounds=3)
    assert log == [Side.OLD, Side.NEW, Side.NEW, Side.OLD] * 3
    assert [leg.side for leg in fought.legs] == log
    assert fought.disturbances() == ()


def test_a_disturbed_turn_is_repeated_on_both_sides_once_the_machine_is_quiet():
    log = []
    fought, machine = duel(log, new=(BUSY, QUIET))
    fight(fought)
    assert log == [Side.OLD, Side.NEW, Side.OLD, Side.NEW, Side.NEW, Side.OLD]
    assert (len(fought.legs), fought.thrown_away, machine.waits) == (4, 2, 1)
    assert fought.disturbances() == ()


def test_a_machine_that_stays_busy_disturbs_the_block():
    log = []
    fought, machine = duel(log, new=(BUSY,))
    fight(fought)
    assert len(log) == 2 * 3 * 2
    assert machine.waits == 4
    (text,) = fought.disturbances()
    assert "other processes used" in text


def test_a_machine_that_stays_busy_is_not_asked_again():
    fought, machine = duel([], old=(BUSY,))
    machine.becomes_quiet = False
    fight(fought)
    assert machine.waits == 2, "once for each couple of turns"
    assert fought.thrown_away == 0
    assert len(fought.legs) == 4
    assert fought.disturbances() != ()


def test_a_little_noise_in_every_turn_disturbs_the_block_too():
    fought, _ = duel([], old=({"elapsed": 0.05, "foreign": 0.012},), new=({"elapsed": 0.05, "foreign": 0.012},))
    fight(fought)
    assert fought.thrown_away == 0
    assert fought.disturbances() != ()


def test_an_unknown_share_disturbs_nothing():
    fought, _ = duel([], old=({"elapsed": 0.05, "foreign": None},), new=({"elapsed": 0.05, "foreign": None},))
    fight(fought)
    assert fought.disturbances() == ()


def test_a_side_that_fails_ends_it():
    log = []
    fought, _ = duel(log, new=(None,))
    fight(fought, rounds=3)
    assert not fought.complete
    assert len(log) == 2


def test_throughput_follows_from_the_same_turns_where_nothing_queues():
    log = []
    fought, _ = duel(log)
    fight(fought, metrics=("latency", "throughput"))
    assert len(log) == 4
    assert [leg.metric for leg in fought.legs] == ["latency"] * 4 + ["throughput"] * 4
    assert fought.legs[-1].values == pytest.approx([8000.0] * len(fought.legs[-1].values))


def test_throughput_has_turns_of_its_own_where_a_device_queues_calls():
    log = []
    fought, _ = duel(log)
    fight(fought, metrics=("throughput",), queues=True)
    assert len(log) == 8
    assert {leg.metric for leg in fought.legs} == {"throughput"}
    assert len(fought.legs) == 4


def test_each_side_counts_its_own_items():
    fought, _ = duel([])
    fight(fought, metrics=("throughput",), items=(8, 16))
    by_side = {leg.side: leg.values[0] for leg in fought.legs}
    assert by_side[Side.NEW] == pytest.approx(2 * by_side[Side.OLD])

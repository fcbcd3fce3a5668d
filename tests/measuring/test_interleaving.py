"""Turns of one label: how many, in which order, and which are repeated."""

from __future__ import annotations

import pytest

from pytest_aiperf.measuring.interleaving import Interleaving, plan
from pytest_aiperf.vocabulary.messages import TimedTurn
from pytest_aiperf.vocabulary.pairing import Arm
from pytest_aiperf.vocabulary.terms import Turns

QUIET = {"elapsed": 0.05, "foreign": 0.0}
BUSY = {"elapsed": 0.05, "foreign": 0.03}


class FakePlayer:
    """Answers turns from a list; the last one for ever."""

    def __init__(self, arm, log, answers=(QUIET,)):
        self.arm = arm
        self.log = log
        self.answers = list(answers)

    def turn(self, asked):
        self.log.append(self.arm)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return None if answer is None else TimedTurn(values={asked.kind.value: (1e-3,) * asked.calls}, **answer)


class FakeMachine:
    processors = 2

    def __init__(self):
        self.waits = 0
        self.becomes_quiet = True

    def wait_for_quiet(self):
        self.waits += 1
        return self.becomes_quiet


def interleaving(log, old=(QUIET,), new=(QUIET,)):
    machine = FakeMachine()
    return Interleaving([FakePlayer(Arm.REFERENCE, log, old), FakePlayer(Arm.CANDIDATE, log, new)], machine), machine


def take_turns(interleaving, *, rounds=1, kinds=(Turns.CALLS,), queues=False):
    interleaving.take_turns(plan_of(rounds), kinds=kinds, queues=queues)


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
    fought, _ = interleaving(log)
    take_turns(fought, rounds=3)
    assert log == [Arm.REFERENCE, Arm.CANDIDATE, Arm.CANDIDATE, Arm.REFERENCE] * 3
    assert [turn.arm for turn in fought.turns] == log
    assert fought.disturbances() == ()


def test_a_disturbed_turn_is_repeated_on_both_sides_once_the_machine_is_quiet():
    log = []
    fought, machine = interleaving(log, new=(BUSY, QUIET))
    take_turns(fought)
    assert log == [Arm.REFERENCE, Arm.CANDIDATE, Arm.REFERENCE, Arm.CANDIDATE, Arm.CANDIDATE, Arm.REFERENCE]
    assert (len(fought.turns), fought.thrown_away, machine.waits) == (4, 2, 1)
    assert fought.disturbances() == ()


def test_a_machine_that_stays_busy_disturbs_the_block():
    log = []
    fought, machine = interleaving(log, new=(BUSY,))
    take_turns(fought)
    assert len(log) == 2 * 3 * 2
    assert machine.waits == 4
    (text,) = fought.disturbances()
    assert "other processes used" in text


def test_a_machine_that_stays_busy_is_not_asked_again():
    fought, machine = interleaving([], old=(BUSY,))
    machine.becomes_quiet = False
    take_turns(fought)
    assert machine.waits == 2, "once for each couple of turns"
    assert fought.thrown_away == 0
    assert len(fought.turns) == 4
    assert fought.disturbances() != ()


def test_a_little_noise_in_every_turn_disturbs_the_block_too():
    fought, _ = interleaving([], old=({"elapsed": 0.05, "foreign": 0.012},), new=({"elapsed": 0.05, "foreign": 0.012},))
    take_turns(fought)
    assert fought.thrown_away == 0
    assert fought.disturbances() != ()


def test_an_unknown_share_disturbs_nothing():
    fought, _ = interleaving([], old=({"elapsed": 0.05, "foreign": None},), new=({"elapsed": 0.05, "foreign": None},))
    take_turns(fought)
    assert fought.disturbances() == ()


def test_a_side_that_fails_ends_it():
    log = []
    fought, _ = interleaving(log, new=(None,))
    take_turns(fought, rounds=3)
    assert not fought.complete
    assert len(log) == 2


def test_bursts_are_made_of_the_same_turns_where_nothing_queues():
    log = []
    fought, _ = interleaving(log)
    take_turns(fought, kinds=(Turns.CALLS, Turns.BURSTS))
    assert len(log) == 4
    assert [list(turn.values) for turn in fought.turns] == [["calls"]] * 4


def test_bursts_have_turns_of_their_own_where_a_device_queues_calls():
    log = []
    fought, _ = interleaving(log)
    take_turns(fought, kinds=(Turns.BURSTS,), queues=True)
    assert len(log) == 4, "no calls are timed in vain"
    assert [list(turn.values) for turn in fought.turns] == [["bursts"]] * 4
    assert {len(turn.values["bursts"]) for turn in fought.turns} == {5}


def test_each_kind_has_its_turns_in_one_block():
    log = []
    fought, _ = interleaving(log)
    take_turns(fought, kinds=(Turns.PROBE, Turns.BURSTS, Turns.CALLS), queues=True)
    assert [name for turn in fought.turns for name in turn.values] == ["calls"] * 4 + ["bursts"] * 4 + ["probe"] * 4

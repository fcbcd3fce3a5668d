"""Pairs until every suspect is decided: who goes on, who leaves, and that nothing is measured for ever."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from pytest_aiperf import wiring
from pytest_aiperf.judging.sequential import LOOKS
from pytest_aiperf.measuring.trial import Order
from pytest_aiperf.processes.confirmation import TRIES, Confirmation, Suspect
from pytest_aiperf.processes.pairs import Round
from pytest_aiperf.processes.reference_revision import MixedUp
from pytest_aiperf.processes.worker import Report
from pytest_aiperf.vocabulary.pairing import Block, Leg, Side
from pytest_aiperf.vocabulary.records import Measurement, Sample
from pytest_aiperf.vocabulary.terms import ConfirmedBy, Origin

TIMES = frozenset({"latency"})


class FakeTrial:
    """What a confirmation touches of a trial."""

    def __init__(self, test):
        self.order = Order(test=test)
        self.limits = ()
        self.pairings = {}

    def blocks(self, label=""):
        return self.pairings[label].blocks if label in self.pairings else ()


class FakeOpponent:
    """Blocks and processes that go as a test says."""

    against = "main@1a2b3c4"

    def __init__(
        self, *, failure=None, mixed=None, disturbed=(), failing=None, killing=(), seconds=1.0, dead=None, short=False
    ):
        self.failure = failure
        self.mixed = mixed
        self.disturbed = set(disturbed)
        self.failing = failing or {}
        self.killing = killing
        self.uncompared = {}
        self.seconds = seconds
        self.dead = dead
        self.asked = []
        self.together = []
        self.short_of_memory = short
        self.ran = []
        self.closed = False

    def prepare(self):
        return self.failure

    def block(self, seed, asked, *, together):
        self.together.append(together)
        if together and self.short_of_memory:
            return Round(failures={asked[0].test: "old code: RuntimeError: CUDA out of memory. Tried to allocate"})
        number = len(self.asked)
        self.asked.append((seed, [one.test for one in asked]))
        seen = Round(
            failures={one.test: self.failing[one.test] for one in asked if one.test in self.failing},
            seconds={one.test: self.seconds for one in asked},
        )
        killers = [place for place, one in enumerate(asked) if one.test in self.killing]
        seen.missed = frozenset(one.test for one in asked[killers[0] + 1 :]) if killers else frozenset()
        seen.failures |= {asked[place].test: "new code: killed by SIGSEGV" for place in killers[:1]}
        for one in asked:
            if one.test not in seen.failures and one.test not in seen.missed:
                noise = ("busy",) if number in self.disturbed else ()
                seen.blocks[one.test, ""] = Block(seed=seed, legs=(), disturbances=noise)
        return seen

    def run(self, side, order):
        self.ran.append((side, order.load))
        assert order.origin is Origin.FRESH
        if side is self.dead:
            return Report(failure="killed by SIGKILL")
        samples = (
            Sample(metric=f"load_{order.load}", values=(0.5,)),
            Sample(metric="ram", values=(1e8,)),
            Sample(metric="gpu_process", values=(1e9,)),
        )
        return Report(measurements=(Measurement(test=order.test, label="", samples=samples, taken_at=""),))

    def mixed_up(self, files):
        return self.mixed

    def close(self):
        self.closed = True


class FakeGuardian:
    def close(self):
        pass


def confirm(opponent, *suspects, budget=1000.0):
    confirmation = Confirmation(
        opponent=opponent,
        metrics=wiring.known_metrics(),
        exclusive=lambda what: nullcontext(),
        budget=budget,
        clock=lambda: 0.0,
        seed=100,
        guardian=FakeGuardian(),
    )
    confirmation.confirm(suspects)
    return confirmation


def suspect(test, *, until=LOOKS[0], metrics=TIMES):
    """Open until so many undisturbed blocks are there."""
    trial = FakeTrial(test)

    def wanted():
        pairing = trial.pairings.get("")
        if pairing is not None and pairing.failure:
            return {"": metrics}
        return {"": metrics} if sum(not block.disturbances for block in trial.blocks()) < until else {}

    return Suspect(trial=trial, wanted=wanted)


def test_all_suspects_share_the_blocks_and_leave_when_decided():
    opponent = FakeOpponent()
    quick, slow = suspect("quick", until=6), suspect("slow", until=10)
    confirm(opponent, quick, slow)
    assert [tests for _, tests in opponent.asked] == [["quick", "slow"]] * 6 + [["slow"]] * 4
    assert len(quick.trial.blocks()) == 6
    assert quick.trial.pairings[""].against == "main@1a2b3c4"
    assert quick.trial.pairings[""].seconds == 6.0


def test_tests_that_kill_their_process_leave_and_the_others_go_on():
    killing = [f"killer {number}" for number in range(TRIES + 1)]
    opponent = FakeOpponent(killing=killing)
    last = suspect("last")
    killers = [suspect(name) for name in killing]
    confirm(opponent, *killers, last)
    assert all(one.trial.pairings[""].failure == "new code: killed by SIGSEGV" for one in killers)
    assert last.trial.pairings[""].failure is None
    assert len(last.trial.blocks()) == LOOKS[0]


def test_every_block_has_a_seed_of_its_own():
    opponent = FakeOpponent()
    confirm(opponent, suspect("a"))
    assert [seed for seed, _ in opponent.asked] == [100, 101, 102, 103, 104, 105]


def test_a_disturbed_block_is_measured_again():
    opponent, one = FakeOpponent(disturbed={1, 2}), suspect("a")
    confirm(opponent, one)
    assert len(opponent.asked) == 8


def test_a_machine_that_is_never_quiet_is_given_up():
    opponent = FakeOpponent(disturbed=range(1000))
    confirm(opponent, suspect("a"))
    assert len(opponent.asked) == TRIES


def test_a_machine_that_is_quiet_now_and_then_is_given_up_in_the_end():
    opponent = FakeOpponent(disturbed=[number for number in range(1000) if number % 3])
    confirm(opponent, suspect("a", until=1000), budget=1e9)
    assert len(opponent.asked) == TRIES * LOOKS[-1]


def test_no_block_is_started_that_the_budget_does_not_cover():
    opponent, one = FakeOpponent(seconds=30.0), suspect("a", until=1000)
    confirm(opponent, one, budget=120.0)
    assert len(opponent.asked) == 4
    assert one.trial.pairings[""].budget == 120.0


def test_a_test_that_fails_on_one_side_leaves_with_its_reason():
    opponent = FakeOpponent(failing={"broken": "old code: no such module"})
    broken, fine = suspect("broken"), suspect("fine")
    confirm(opponent, broken, fine)
    assert broken.trial.pairings[""].failure == "old code: no such module"
    assert [tests for _, tests in opponent.asked] == [["broken", "fine"]] + [["fine"]] * 5
    assert fine.trial.pairings[""].failure is None


def test_a_tree_that_cannot_be_made_is_everybodys_reason():
    one = suspect("a")
    opponent = FakeOpponent(failure="no tree of main@1a2b3c4: disk full")
    confirm(opponent, one)
    assert one.trial.pairings[""].failure == "no tree of main@1a2b3c4: disk full"
    assert opponent.asked == []


def test_sides_that_do_not_fit_together_run_one_after_the_other():
    opponent, one = FakeOpponent(short=True), suspect("a")
    confirm(opponent, one)
    assert opponent.together == [True] + [False] * 6
    assert one.trial.pairings[""].failure is None
    assert len(one.trial.blocks()) == 6


@pytest.mark.parametrize(("anomaly", "blocks"), [(True, 0), (False, 1)])
def test_sides_that_ran_the_same_code_end_it_at_once(anomaly, blocks):
    one = suspect("a")
    opponent = FakeOpponent(mixed=MixedUp(reason="the old side read net.py", anomaly=anomaly))
    confirm(opponent, one)
    pairing = one.trial.pairings[""]
    assert (pairing.failure, pairing.anomaly, len(pairing.blocks)) == ("the old side read net.py", anomaly, blocks)
    assert len(opponent.asked) == 1


@pytest.mark.parametrize(
    ("metrics", "loads"),
    [
        ({"load_warm"}, ["warm"]),
        ({"load_cold"}, ["cold"]),
        ({"ram"}, ["warm"]),
        ({"gpu_process"}, ["warm"]),
        ({"load_cold", "ram"}, ["cold", "warm"]),
    ],
)
def test_loads_and_peaks_take_a_process_per_side(metrics, loads):
    opponent, one = FakeOpponent(), suspect("a", until=5, metrics=frozenset(metrics))
    confirm(opponent, one)
    assert opponent.asked == []
    assert opponent.ran[:2] == [(Side.OLD, "warm"), (Side.NEW, "warm")]
    for start in range(2, len(opponent.ran), 2 * len(loads)):
        ran = opponent.ran[start : start + 2 * len(loads)]
        assert sorted((side.value, load) for side, load in ran) == sorted(
            (side.value, load) for side in Side for load in loads
        )
    assert len(one.trial.blocks()) == 5
    legs = one.trial.blocks()[0].legs
    assert {leg.metric for leg in legs} == metrics
    assert {leg.side for leg in legs} == set(Side)
    assert all(isinstance(leg, Leg) for leg in legs)


CONFIRMED = [one for one in wiring.known_metrics().values() if one.confirmed_by is not ConfirmedBy.NOTHING]


@pytest.mark.parametrize("metric", CONFIRMED, ids=lambda metric: metric.name)
def test_every_metric_whose_rows_ask_for_pairs_is_measured_by_them(metric):
    opponent, one = FakeOpponent(), suspect("a", metrics=frozenset({metric.name}))
    confirm(opponent, one)
    assert (len(opponent.asked) > 0) is (metric.confirmed_by is ConfirmedBy.TURNS)
    assert (len(opponent.ran) > 0) is (metric.confirmed_by is ConfirmedBy.PROCESSES)


def test_what_files_in_memory_would_spoil_is_not_compared():
    opponent, one = FakeOpponent(), suspect("a", until=0, metrics=frozenset({"load_warm", "load_cold"}))
    one.trial.pairings = {}
    opponent.uncompared = {"load_cold": "one tree lies in memory", "ram": "one tree lies in memory"}
    asked = iter([{"": frozenset({"load_warm", "load_cold"})}])
    confirm(opponent, Suspect(trial=one.trial, wanted=lambda: next(asked, {})))
    assert one.trial.pairings[""].uncompared == {"load_cold": "one tree lies in memory"}
    assert opponent.ran == []


def test_a_load_that_dies_on_one_side_ends_with_its_reason():
    opponent, one = FakeOpponent(dead=Side.NEW), suspect("a", metrics=frozenset({"load_warm"}))
    confirm(opponent, one)
    assert one.trial.pairings[""].failure == "new code: killed by SIGKILL"
    assert len(opponent.ran) == 4


def test_giving_up_leaves_a_reason_and_closing_removes_the_tree():
    opponent, one = FakeOpponent(), suspect("a")
    confirmation = confirm(opponent)
    confirmation.give_up(one, "the run was stopped before its pairs")
    assert one.trial.pairings[""].failure == "the run was stopped before its pairs"
    confirmation.close()
    assert opponent.closed

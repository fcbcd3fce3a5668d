"""Pairs until every open test is decided: who goes on, who leaves, and that nothing is measured for ever."""

from __future__ import annotations

import itertools
from contextlib import nullcontext

import pytest

from pytest_aiperf import wiring
from pytest_aiperf.judging.sequential import ENOUGH, LOOKS
from pytest_aiperf.processes.child import Report
from pytest_aiperf.processes.confirmation import TRIES, Confirmation, OpenTest
from pytest_aiperf.processes.pairs import PairBlock
from pytest_aiperf.processes.reference import MixedUp
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.pairing import Arm, Block, Turn
from pytest_aiperf.vocabulary.records import Measurement, Sample
from pytest_aiperf.vocabulary.terms import ConfirmedBy, Origin

TIMES = frozenset({"latency"})
TURNS = tuple(Turn(arm=arm, values={"latency": (0.02,), "throughput": (50.0,)}) for arm in Arm)


class FakeTrial:
    """What a confirmation touches of a trial."""

    def __init__(self, test):
        self.order = Order(test=test)
        self.limits = ()
        self.pairings = {}
        self.entries = {}

    def blocks(self, label=""):
        return self.pairings[label].blocks if label in self.pairings else ()


class FakeReference:
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

    def common(self, models):
        return ("weights/net.bin",)

    def block(self, seed, asked, *, together):
        self.together.append(together)
        if together and self.short_of_memory:
            return PairBlock(failures={asked[0].test: "old code: RuntimeError: CUDA out of memory. Tried to allocate"})
        number = len(self.asked)
        self.asked.append((seed, [one.test for one in asked]))
        seen = PairBlock(
            failures={one.test: self.failing[one.test] for one in asked if one.test in self.failing},
            seconds={one.test: self.seconds for one in asked},
        )
        killers = [place for place, one in enumerate(asked) if one.test in self.killing]
        seen.missed = frozenset(one.test for one in asked[killers[0] + 1 :]) if killers else frozenset()
        seen.failures |= {asked[place].test: "new code: killed by SIGSEGV" for place in killers[:1]}
        for one in asked:
            if one.test not in seen.failures and one.test not in seen.missed:
                noise = ("busy",) if number in self.disturbed else ()
                seen.blocks[one.test, ""] = Block(seed=seed, turns=TURNS, disturbances=noise)
        return seen

    def run(self, arm, order):
        self.ran.append((arm, order.load.value))
        assert order.origin is Origin.FRESH
        if arm is self.dead:
            return Report(failure="killed by SIGKILL")
        samples = (
            Sample(metric=f"load_{order.load.value}", values=(0.5,)),
            Sample(metric="ram", values=(1e8,)),
            Sample(metric="gpu_process", values=(1e9,)),
        )
        return Report(measurements=(Measurement(test=order.test, label="", samples=samples, taken_at=""),))

    def mixed_up(self, files):
        return self.mixed

    def close(self):
        self.closed = True


def confirm(reference, *open_tests, budget=1000.0):
    confirmation = Confirmation(
        reference=reference,
        metrics=wiring.known_metrics(),
        exclusive=lambda what: nullcontext(),
        budget=budget,
        clock=lambda: 0.0,
        seeds=itertools.count(100),
    )
    confirmation.confirm(open_tests)
    return confirmation


def open_test(test, *, until=ENOUGH, metrics=TIMES):
    """Open until so many undisturbed blocks are there."""
    trial = FakeTrial(test)

    def wanted():
        pairing = trial.pairings.get("")
        if pairing is not None and pairing.failure:
            return {"": metrics}
        return {"": metrics} if sum(not block.disturbances for block in trial.blocks()) < until else {}

    return OpenTest(trial=trial, wanted=wanted)


def test_all_suspects_share_the_blocks_and_leave_when_decided():
    reference = FakeReference()
    quick, slow = open_test("quick", until=6), open_test("slow", until=10)
    confirm(reference, quick, slow)
    assert [tests for _, tests in reference.asked] == [["quick", "slow"]] * 6 + [["slow"]] * 4
    assert len(quick.trial.blocks()) == 6
    assert quick.trial.pairings[""].against == "main@1a2b3c4"
    assert quick.trial.pairings[""].seconds == 6.0


def test_tests_that_kill_their_process_leave_and_the_others_go_on():
    killing = [f"killer {number}" for number in range(TRIES + 1)]
    reference = FakeReference(killing=killing)
    last = open_test("last")
    killers = [open_test(name) for name in killing]
    confirm(reference, *killers, last)
    assert all(one.trial.pairings[""].failure == "new code: killed by SIGSEGV" for one in killers)
    assert last.trial.pairings[""].failure is None
    assert len(last.trial.blocks()) == ENOUGH


def test_a_figure_that_nobody_asked_pairs_about_keeps_its_own_row():
    one = open_test("a")
    confirm(FakeReference(), one)
    seen = {name for block in one.trial.blocks() for turn in block.turns for name in turn.values}
    assert seen == {"latency"}


def test_every_block_has_a_seed_of_its_own():
    reference = FakeReference()
    confirm(reference, open_test("a"))
    assert [seed for seed, _ in reference.asked] == [100, 101, 102, 103, 104, 105]


def test_a_disturbed_block_is_measured_again():
    reference, one = FakeReference(disturbed={1, 2}), open_test("a")
    confirm(reference, one)
    assert len(reference.asked) == 8


def test_a_machine_that_is_never_quiet_is_given_up():
    reference = FakeReference(disturbed=range(1000))
    confirm(reference, open_test("a"))
    assert len(reference.asked) == TRIES


def test_a_machine_that_is_quiet_now_and_then_is_given_up_in_the_end():
    reference = FakeReference(disturbed=[number for number in range(1000) if number % 3])
    confirm(reference, open_test("a", until=1000), budget=1e9)
    assert len(reference.asked) == TRIES * LOOKS[-1]


def test_no_block_is_started_that_the_budget_does_not_cover():
    reference, one = FakeReference(seconds=30.0), open_test("a", until=1000)
    confirm(reference, one, budget=120.0)
    assert len(reference.asked) == 4
    assert one.trial.pairings[""].budget == 120.0


def test_a_test_has_three_pairs_whatever_they_cost():
    reference, one = FakeReference(seconds=200.0), open_test("a", until=1000)
    confirm(reference, one, budget=120.0)
    assert len(reference.asked) == 3
    assert one.trial.pairings[""].ended


def test_a_test_that_fails_on_one_side_leaves_with_its_reason():
    reference = FakeReference(failing={"broken": "old code: no such module"})
    broken, fine = open_test("broken"), open_test("fine")
    confirm(reference, broken, fine)
    assert broken.trial.pairings[""].failure == "old code: no such module"
    assert [tests for _, tests in reference.asked] == [["broken", "fine"]] + [["fine"]] * 5
    assert fine.trial.pairings[""].failure is None


def test_a_tree_that_cannot_be_made_is_everybodys_reason():
    one = open_test("a")
    reference = FakeReference(failure="no tree of main@1a2b3c4: disk full")
    confirm(reference, one)
    assert one.trial.pairings[""].failure == "no tree of main@1a2b3c4: disk full"
    assert reference.asked == []


def test_sides_that_do_not_fit_together_run_one_after_the_other():
    reference, one = FakeReference(short=True), open_test("a")
    confirm(reference, one)
    assert reference.together == [True] + [False] * 6
    assert one.trial.pairings[""].failure is None
    assert len(one.trial.blocks()) == 6


@pytest.mark.parametrize(("anomaly", "blocks"), [(True, 0), (False, 1)])
def test_sides_that_ran_the_same_code_end_it_at_once(anomaly, blocks):
    one = open_test("a")
    reference = FakeReference(mixed=MixedUp(reason="the old side read net.py", anomaly=anomaly))
    confirm(reference, one)
    pairing = one.trial.pairings[""]
    assert (pairing.failure, pairing.anomaly, len(pairing.blocks)) == ("the old side read net.py", anomaly, blocks)
    assert len(reference.asked) == 1


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
    reference, one = FakeReference(), open_test("a", until=5, metrics=frozenset(metrics))
    confirm(reference, one)
    assert reference.asked == []
    assert reference.ran[:2] == [(Arm.REFERENCE, "warm"), (Arm.CANDIDATE, "warm")]
    for start in range(2, len(reference.ran), 2 * len(loads)):
        ran = reference.ran[start : start + 2 * len(loads)]
        assert sorted((arm.value, load) for arm, load in ran) == sorted(
            (arm.value, load) for arm in Arm for load in loads
        )
    assert len(one.trial.blocks()) == 5
    turns = one.trial.blocks()[0].turns
    assert {name for turn in turns for name in turn.values} == metrics
    assert {turn.arm for turn in turns} == set(Arm)
    assert all(isinstance(turn, Turn) for turn in turns)


CONFIRMED = [one for one in wiring.known_metrics().values() if one.confirmed_by is not ConfirmedBy.NOTHING]


@pytest.mark.parametrize("metric", CONFIRMED, ids=lambda metric: metric.name)
def test_every_metric_whose_rows_ask_for_pairs_is_measured_by_them(metric):
    reference, one = FakeReference(), open_test("a", metrics=frozenset({metric.name}))
    confirm(reference, one)
    assert (len(reference.asked) > 0) is (metric.confirmed_by is ConfirmedBy.TURNS)
    assert (len(reference.ran) > 0) is (metric.confirmed_by is ConfirmedBy.PROCESSES)


def test_what_files_in_memory_would_spoil_is_not_compared():
    reference, one = FakeReference(), open_test("a", until=0, metrics=frozenset({"load_warm", "load_cold"}))
    one.trial.pairings = {}
    reference.uncompared = {"load_cold": "one tree lies in memory", "ram": "one tree lies in memory"}
    asked = iter([{"": frozenset({"load_warm", "load_cold"})}])
    confirm(reference, OpenTest(trial=one.trial, wanted=lambda: next(asked, {})))
    assert one.trial.pairings[""].uncompared == {"load_cold": "one tree lies in memory"}
    assert reference.ran == []


def test_a_load_that_dies_on_one_side_ends_with_its_reason():
    reference, one = FakeReference(dead=Arm.CANDIDATE), open_test("a", metrics=frozenset({"load_warm"}))
    confirm(reference, one)
    assert one.trial.pairings[""].failure == "new code: killed by SIGKILL"
    assert len(reference.ran) == 4


def test_giving_up_leaves_a_reason_and_closing_removes_the_tree():
    reference, one = FakeReference(), open_test("a")
    confirmation = confirm(reference)
    confirmation.give_up(one, "the run was stopped before its pairs")
    assert one.trial.pairings[""].failure == "the run was stopped before its pairs"
    confirmation.close()
    assert reference.closed

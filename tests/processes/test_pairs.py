"""One block: both sides through the same tests, in turns; a side that fails is a reason."""

from __future__ import annotations

from collections import deque

import pytest

from pytest_aiperf.processes.child import Launch
from pytest_aiperf.processes.pairs import PairedProcesses, PairOrder
from pytest_aiperf.vocabulary.errors import ChildGoneError
from pytest_aiperf.vocabulary.messages import (
    At,
    Doing,
    Failed,
    FilesRead,
    Finished,
    GoOn,
    Orders,
    TakeTurn,
    TimedTurn,
    Warm,
    WarmUp,
)
from pytest_aiperf.vocabulary.orders import Order, Role
from pytest_aiperf.vocabulary.pairing import Arm
from pytest_aiperf.vocabulary.terms import Turns
from tests import fakes

CALLS = frozenset({Turns.CALLS})


class FakeChild:
    """Follows a script: the labels of each test it measures, or what goes wrong there."""

    def __init__(self, script, log, arm):
        self.script = script
        self.log = log
        self.arm = arm
        self.finished = False
        self.running = True
        self.scratch = ""
        self.messages = deque()
        self.places = deque()

    def __enter__(self):
        self.log.append((self.arm, "started"))
        return self

    def __exit__(self, *error):
        self.log.append((self.arm, "ended"))

    def say(self, request):
        assert self.running, "a stopped child hears nothing"
        match request:
            case Orders(orders=orders):
                self.places.extend((order.test, label) for order in orders for label in self.labels(order.test))
                self.next()
            case WarmUp():
                self.messages.append(Warm(seconds=0.02, queues=False))
            case TakeTurn(calls=calls):
                self.log.append((self.arm, "turn"))
                self.messages.append(TimedTurn(values={"latency": (0.02,) * calls}, elapsed=0.1, foreign=0.0))
            case GoOn():
                self.next()

    def labels(self, test):
        return self.script.get(test, [""])

    def next(self):
        if not self.places:
            read = "/old/net.py" if self.arm is Arm.REFERENCE else "/new/net.py"
            self.messages.extend((FilesRead(files=(read,)), Finished()))
            return
        test, label = self.places.popleft()
        self.messages.append(Doing(phase="setup", test=test))
        if label == "dies":
            self.messages.append(ChildGoneError("killed by SIGSEGV in phase test body"))
        elif label.startswith("fails"):
            self.messages.append(Failed(test=test, reason="the test failed in setup: boom"))
            self.next()
        else:
            self.messages.append(At(test=test, label=label))

    def hear(self):
        message = self.messages.popleft()
        if isinstance(message, Exception):
            raise message
        self.finished = self.finished or isinstance(message, Finished)
        return message

    def allow_more_time(self):
        pass

    def stop(self):
        self.running = False

    def wake(self):
        self.running = True

    def last_words(self):
        return "nothing"


def block(old, new, tests=("a", "b"), *, wanted=None, seed=1, together=True):
    log = []
    scripts = {Arm.REFERENCE: old, Arm.CANDIDATE: new}

    def launch(arm):
        return Launch(arguments=(arm,), directory=None, timeout=1.0, quiet_malloc=True, environ={})

    def child(launch, *, timing, extra):
        assert timing
        assert set(extra) == {"PYTHONHASHSEED"}
        log.append(("seed", extra["PYTHONHASHSEED"]))
        arm = Arm(launch.arguments[0])
        return FakeChild(scripts[arm], log, arm)

    processes = PairedProcesses(
        launches={arm: launch(arm.value) for arm in Arm},
        watched=("/old", "/new"),
        machine=fakes.QuietMachine(),
        clock=lambda: 0.0,
        open_child=child,
    )
    asked = [
        PairOrder(orders=dict.fromkeys(Arm, Order(test=test, role=Role.TURNS)), wanted=wanted or {"": CALLS})
        for test in tests
    ]
    return processes.block(seed, asked, together=together), log


def turns(log):
    return [arm for arm, what in log if what == "turn"]


def test_both_sides_go_through_all_tests_in_turns():
    seen, log = block({}, {})
    assert set(seen.blocks) == {("a", ""), ("b", "")}
    assert seen.failures == {}
    for start in (0, 4):
        first, second, third, fourth = turns(log)[start : start + 4]
        assert (first, second) == (fourth, third)
        assert first is not second
    assert seen.files == {Arm.REFERENCE: ("/old/net.py",), Arm.CANDIDATE: ("/new/net.py",)}
    assert [what for _, what in log].count("ended") == 2


def test_the_same_seed_draws_the_same_order_and_both_sides_share_a_hash_seed():
    one, again, other = (block({}, {}, seed=seed)[1] for seed in (5, 5, 6))
    assert one == again
    seeds = [value for name, value in one if name == "seed"]
    assert len(set(seeds)) == 1
    assert seeds != [value for name, value in other if name == "seed"]


def test_the_first_turn_is_drawn():
    assert {turns(block({}, {}, ("a",), seed=seed)[1])[0] for seed in range(20)} == set(Arm)


def test_where_both_do_not_fit_one_side_has_ended_before_the_other_starts():
    seen, log = block({}, {}, together=False)
    assert set(seen.blocks) == {("a", ""), ("b", "")}
    lives = [(arm, what) for arm, what in log if what in ("started", "ended")]
    assert [what for _, what in lives] == ["started", "ended"] * 2
    assert {arm for arm, _ in lives} == set(Arm)
    turns = seen.blocks["a", ""].turns
    assert [turn.arm for turn in turns[:2]] == [lives[0][0]] * 2
    assert {turn.arm for turn in turns} == set(Arm)
    assert set(seen.files) == set(Arm)


def test_alone_too_a_test_that_one_side_lacks_is_a_reason():
    seen, _ = block({"a": ["fails"]}, {}, together=False)
    assert seen.failures == {"a": "old code: the test failed in setup: boom"}
    assert set(seen.blocks) == {("b", "")}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ({"a": []}, {}, {"a": "old code: it was not run: nothing"}),
        ({}, {"a": ["fails"]}, {"a": "new code: the test failed in setup: boom"}),
        ({"a": ["fails"]}, {"a": ["fails"]}, {"a": "new code: the test failed in setup: boom"}),
        ({"a": ["other"]}, {}, {"a": "only the"}),
        ({"a": ["dies"]}, {}, {"a": "old code: killed by SIGSEGV in phase test body"}),
    ],
)
def test_a_side_that_cannot_run_a_test_says_why(old, new, says):
    seen, log = block(old, new)
    assert ("a", "") not in seen.blocks
    for test, reason in says.items():
        assert seen.failures[test].startswith(reason) or seen.failures[test] == reason.replace("new", "old", 1)
    assert [what for _, what in log].count("ended") == 2


def test_a_test_that_fails_does_not_cost_the_others_their_block():
    seen, _ = block({"a": ["fails"]}, {})
    assert ("b", "") in seen.blocks
    assert set(seen.failures) == {"a"}


@pytest.mark.parametrize("together", [True, False])
def test_those_behind_a_test_that_kills_its_process_are_asked_again(together):
    seen, log = block({}, {"b": ["dies"]}, ("a", "b", "c"), together=together)
    assert set(seen.blocks) == {("a", "")}
    assert seen.failures == {"b": "new code: killed by SIGSEGV in phase test body"}
    assert seen.missed == {"c"}
    assert [what for _, what in log].count("ended") == 2


def test_labels_that_nobody_asked_for_are_passed_by():
    seen, log = block({"a": ["x", "y"]}, {"a": ["x", "y"]}, ("a",), wanted={"y": CALLS})
    assert set(seen.blocks) == {("a", "y")}
    assert len(turns(log)) == 4


def test_the_waiting_side_is_always_stopped():
    """`FakeChild.say` refuses to be spoken to while stopped; a side never runs beside the other's turn."""
    children = []

    class Watching(FakeChild):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            children.append(self)

        def say(self, request):
            if isinstance(request, TakeTurn):
                assert [child.running for child in children if child is not self] == [False]
            super().say(request)

    launches = {
        arm: Launch(arguments=(arm.value,), directory=None, timeout=1.0, quiet_malloc=True, environ={}) for arm in Arm
    }
    processes = PairedProcesses(
        launches=launches,
        watched=(),
        machine=fakes.QuietMachine(),
        clock=lambda: 0.0,
        open_child=lambda launch, **_: Watching({}, [], Arm(launch.arguments[0])),
    )
    asked = [PairOrder(orders=dict.fromkeys(Arm, Order(test="a", role=Role.TURNS)), wanted=None)]
    assert set(processes.block(3, asked).blocks) == {("a", "")}
    assert len(children) == 2

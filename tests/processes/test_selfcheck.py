"""The self-check: what it runs, what it concludes, what it advises."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_aiperf.processes.pairs import PairBlock
from pytest_aiperf.processes.selfcheck import check, chosen, power, smallest_seen, text
from pytest_aiperf.vocabulary.pairing import Arm, Block, Turn
from pytest_aiperf.vocabulary.records import Margins

MARGINS = Margins()


class Machine:
    """Blocks whose pairs vary by `spread`; time passes by `seconds` a block."""

    def __init__(self, *, spread=0.01, seconds=5.0, disturbed=False, failures=None):
        self.random = np.random.default_rng(7)
        self.spread = spread
        self.seconds = seconds
        self.disturbed = disturbed
        self.failures = failures or {}
        self.now = 0.0
        self.asked = []

    def clock(self):
        return self.now

    def block(self, seed, asked):
        self.now += self.seconds
        self.asked.append((seed, [one.orders[Arm.CANDIDATE].slowdown for one in asked]))
        seen = PairBlock(
            failures={test: why for test, why in self.failures.items() if any(one.test == test for one in asked)}
        )
        for one in asked:
            if one.test in seen.failures:
                continue
            slow = math.log1p(one.orders[Arm.CANDIDATE].slowdown) + self.random.normal(0, self.spread)
            turns = tuple(
                Turn(arm=arm, values={"latency": (2e-3 * math.exp(shift),) * 5}, elapsed=0.01)
                for arm, shift in ((Arm.REFERENCE, 0.0), (Arm.CANDIDATE, slow))
            )
            disturbances = ("other processes",) if self.disturbed else ()
            seen.blocks[one.test, ""] = Block(seed=seed, turns=turns, disturbances=disturbances)
        return seen


def checked(machine, tests=("test_a",), seconds=100.0):
    return check(tests, run_block=machine.block, seconds=seconds, seed=1, margins=MARGINS, clock=machine.clock)


def test_it_runs_the_same_code_twice_then_a_known_slowdown():
    machine = Machine()
    seen = checked(machine)
    slowdowns = [slow[0] for _, slow in machine.asked]
    assert slowdowns == sorted(slowdowns)
    assert set(slowdowns) == {0.0, MARGINS.max_slowdown}
    assert len({seed for seed, _ in machine.asked}) == len(machine.asked)
    assert seen.false_alarms == 0
    assert seen.pairs_seconds == 5.0


def test_it_takes_enough_pairs_even_where_they_are_slow():
    machine = Machine(seconds=1000.0)
    checked(machine)
    assert len(machine.asked) == 12


def test_a_calm_machine_is_told_to_keep_its_settings():
    told = text(checked(Machine(spread=0.004)))
    assert "unchanged: passed" in told
    assert "+5.0 %: regressed" in told
    assert "keep max_slowdown = 0.05" in told
    assert "false alarms: 0 of 1" in told


def test_a_rough_machine_is_told_what_it_can_see():
    told = text(checked(Machine(spread=0.05)))
    assert "aiperf(max_slowdown=" in told
    assert max(map(len, told.splitlines())) <= 100


def test_a_machine_that_is_never_quiet_can_check_nothing():
    told = text(checked(Machine(disturbed=True)))
    assert "pairs were undisturbed" in told
    assert "nothing could be checked" in told


def test_a_test_that_fails_is_named_and_the_others_go_on():
    machine = Machine(failures={"test_a": "new code: the test failed in setup: boom"})
    seen = checked(machine, ("test_a", "test_b"))
    told = text(seen)
    assert "not checked: new code: the test failed in setup: boom" in told
    assert [one.place for one in seen.findings] == [("test_b", "")]
    assert len(machine.asked[1][1]) == 1


@pytest.mark.parametrize(("spread", "sees"), [(0.002, 0.02), (0.02, 0.04), (1.0, None)])
def test_the_smallest_slowdown_that_is_seen_grows_with_the_spread(spread, sees):
    assert smallest_seen(spread, MARGINS) == sees


def test_its_power_is_that_of_the_rule():
    assert power(0.01, 0.0, MARGINS) == 0.0
    assert power(0.01, 0.05, MARGINS) >= 0.99


def test_it_takes_tests_from_the_fastest_to_the_slowest():
    tests = [(f"test_{index}", float(index)) for index in (3, 1, 2, 0, 4)]
    assert chosen(tests, 3) == ["test_0", "test_2", "test_4"]
    assert chosen(tests, 9) == ["test_0", "test_1", "test_2", "test_3", "test_4"]

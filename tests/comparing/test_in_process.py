"""Two functions take turns in one process."""

from __future__ import annotations

import random

import pytest

from pytest_aiperf.comparing.in_process import interleaved_blocks, remembers
from pytest_aiperf.judging.block_differences import differences
from pytest_aiperf.vocabulary.pairing import Arm
from pytest_aiperf.vocabulary.records import Margins
from tests import fakes


def race(reference, candidate, *, max_seconds=30.0, noise=0.0, foreign=()):
    """Blocks of two functions that take so many seconds, on a clock of their own."""
    clock, luck = fakes.FakeClock(), random.Random(3)  # noqa: S311
    tools = fakes.tools(clock=clock, foreign=fakes.FakeForeignLoad(foreign))

    def lasting(seconds):
        return lambda: clock.pass_seconds(seconds * (1 + luck.uniform(-noise, noise)))

    functions = {Arm.REFERENCE: lasting(reference), Arm.CANDIDATE: lasting(candidate)}
    return interleaved_blocks(
        functions,
        tools,
        margins=Margins(),
        max_seconds=max_seconds,
        machine=fakes.QuietMachine(),
        draw=random.Random(1),  # noqa: S311
    )


@pytest.mark.parametrize("candidate", [0.005, 0.010, 0.020])
def test_a_clear_case_takes_six_blocks(candidate):
    blocks = race(0.010, candidate)
    assert len(blocks) == 6
    logs = differences(blocks, "latency", share=0.25)
    assert all(log == pytest.approx(logs[0]) for log in logs)
    for block in blocks:
        first, second, third, fourth = (turn.arm for turn in block.turns)
        assert (first, second) == (fourth, third)


def test_the_first_turn_is_drawn():
    assert {block.turns[0].arm for block in race(0.01, 0.01)} == set(Arm)


def test_an_unclear_case_goes_on_to_the_last_look_or_the_end_of_its_time():
    assert len(race(0.010, 0.0103, noise=0.5)) > 6
    assert len(race(2.0, 2.06, max_seconds=20.0)) < 6


def test_others_on_the_processor_disturb_a_block():
    blocks = race(0.01, 0.01, foreign=[0.9] * 10_000, max_seconds=1000.0)
    assert len(blocks) == 3, "no use in going on"
    assert all(block.disturbances for block in blocks)


@pytest.mark.parametrize(("seen", "new", "times"), [(1e-6, 5e-3, 5000), (5e-3, 5e-3, None), (2e-6, 2e-5, None)])
def test_a_model_that_remembers_is_far_faster_on_what_it_has_seen(seen, new, times):
    clock = fakes.FakeClock()
    tools = fakes.tools(clock=clock)
    call, fresh = (lambda seconds: lambda: clock.pass_seconds(seconds)), lambda: clock.pass_seconds(new)
    found = remembers(call(seen), [fresh] * 5, tools)
    assert found == (None if times is None else pytest.approx(times, rel=0.01))


def test_nothing_is_said_of_a_cache_where_there_is_no_new_input():
    assert remembers(lambda: None, [], fakes.tools()) is None

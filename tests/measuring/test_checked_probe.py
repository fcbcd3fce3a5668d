"""A probe of another package is held to what it promises."""

from __future__ import annotations

import re

import pytest

from pytest_aiperf.measuring.driver import CheckedProbe, Driver
from pytest_aiperf.vocabulary.contracts import TimedCalls
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.records import Sample
from tests.fakes import tools


class Planned:
    """A probe whose plan is what a test says."""

    def __init__(self, plan) -> None:
        self.plan = lambda tools: plan()


def seen(*values, metric: str = "wait"):
    return (Sample(metric=metric, values=values),)


def turns(result, turn=None):
    def plan():
        yield turn or TimedCalls()
        return result

    return plan


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (lambda: seen(1.0), "plan() is no generator: it must yield TimedCalls, then return a tuple of Sample"),
        (turns((), turn=3), "plan() yielded 3, expected TimedCalls"),
        (turns(None), "plan() returned None, expected a tuple of Sample; () where it saw nothing"),
        (turns((3,)), "plan() returned (3,), expected a tuple of Sample; () where it saw nothing"),
        (turns(seen(1.0, metric="wiat")), "it saw wiat=(1.0,), expected one of METRICS and a tuple of floats"),
        (turns(seen("fast")), "it saw wait=('fast',), expected one of METRICS and a tuple of floats"),
        (
            turns((Sample(metric="wait", values=[1.0]),)),
            "it saw wait=[1.0], expected one of METRICS and a tuple of floats",
        ),
    ],
)
def test_a_probe_that_breaks_its_promise_is_named(plan, says: str) -> None:
    """It raises UsageError with the class, so that its test fails with the reason."""
    probe = CheckedProbe(Planned(plan), {"wait"})
    with pytest.raises(UsageError, match=rf"^probe {__name__}\.Planned: {re.escape(says)}$"):
        Driver(lambda: None, tools()).run([probe])


@pytest.mark.parametrize("result", [(), seen(1.0, 2), seen()])
def test_a_probe_that_keeps_its_promise_is_passed_through(result) -> None:
    """It changes nothing of what was seen, whole numbers and nothing at all included."""
    assert Driver(lambda: None, tools()).run([CheckedProbe(Planned(turns(result)), {"wait"})]) == result

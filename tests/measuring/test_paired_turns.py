"""A fresh process times the turns that its parent asks for."""

from __future__ import annotations

import pytest

from pytest_aiperf.measuring.driver import Driver, without_loop
from pytest_aiperf.measuring.paired_turns import answer_requests
from pytest_aiperf.vocabulary.contracts import TimedCalls
from pytest_aiperf.vocabulary.messages import At, GoOn, TakeTurn, TimedTurn, Warm, WarmUp
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Turns
from tests import fakes


class FakeLine:
    """A parent that asks for these turns."""

    def __init__(self, *asked):
        self.asked = [WarmUp(), *asked, GoOn()]
        self.heard = []

    def request(self):
        return self.asked.pop(0)

    def send(self, message):
        self.heard.append(message)


class Tokens:
    """A probe that times one call and calls it two metrics."""

    metrics = ()

    def plan(self, tools):
        seconds = yield TimedCalls()
        return Sample(metric="first_token", values=(seconds / 4,)), Sample(metric="tokens", values=(8 / seconds,))


def turns(*asked, items=8, probes=lambda _: (), on_a_device=False):
    clock = fakes.FakeClock()
    device = [fakes.FakeAccelerator()] if on_a_device else []
    line = FakeLine(*asked)
    tools = fakes.tools(clock=clock, accelerators=device)
    paired = answer_requests(tools, line, At(test="t", label="a"), items=items, probes=probes)
    without_loop(Driver(lambda: clock.pass_seconds(1e-3), tools).follow(paired))
    at, warm, *seen = line.heard
    assert at == At(test="t", label="a")
    assert isinstance(warm, Warm)
    assert all(isinstance(one, TimedTurn) for one in seen)
    return [one.values for one in seen]


def asked(kind, calls=4):
    return TakeTurn(calls=calls, batch=1, kind=kind)


def test_throughput_follows_from_the_calls_where_nothing_queues():
    (values,) = turns(asked(Turns.CALLS))
    assert values["latency"] == pytest.approx([1e-3] * 4)
    assert values["throughput"] == pytest.approx([8000.0] * len(values["throughput"]))


def test_throughput_has_turns_of_its_own_on_a_device():
    calls, bursts = turns(asked(Turns.CALLS), asked(Turns.BURSTS), on_a_device=True)
    assert calls.keys() == {"latency"}
    assert bursts == {"throughput": pytest.approx((8000.0,) * 4)}


def test_each_side_counts_its_own_items():
    (few,), (many,) = turns(asked(Turns.CALLS)), turns(asked(Turns.CALLS), items=16)
    assert many["throughput"] == pytest.approx([2 * value for value in few["throughput"]])


def test_a_probe_of_another_package_gives_all_its_metrics_in_one_turn():
    wanted = []

    def probes(one):
        wanted.append(one)
        return [Tokens()]

    (values,) = turns(asked(Turns.PROBE, calls=7), probes=probes)
    assert values == {"first_token": pytest.approx((0.25e-3,)), "tokens": pytest.approx((8000.0,))}
    assert [(one.timed, one.calls, one.items) for one in wanted] == [(True, 7, 8)]

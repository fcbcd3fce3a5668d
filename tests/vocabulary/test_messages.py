"""The line between a run and its fresh processes: every message arrives as it was sent."""

from __future__ import annotations

import math

import pytest

from pytest_aiperf.vocabulary import messages
from pytest_aiperf.vocabulary.errors import CodecError
from pytest_aiperf.vocabulary.messages import (
    At,
    Doing,
    Failed,
    FilesRead,
    Finished,
    GoOn,
    Measured,
    Orders,
    TakeTurn,
    TimedTurn,
    Warm,
    WarmUp,
)
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.pairing import Arm
from pytest_aiperf.vocabulary.terms import Turns
from tests.reporting.reporters.realistic import INT8


@pytest.mark.parametrize(
    "request_",
    [
        Orders(orders=(Order(test="a", arm=Arm.REFERENCE), Order(test="b", slowdown=0.1)), watched=("/old", "/new")),
        WarmUp(),
        TakeTurn(calls=3, batch=2, kind=Turns.BURSTS),
        GoOn(),
    ],
    ids=lambda request: type(request).__name__,
)
def test_a_request_arrives_as_it_was_sent(request_):
    assert messages.decode_request(messages.encode(request_)) == request_


@pytest.mark.parametrize(
    "answer",
    [
        Doing(phase="setup of test_a", test="test_a"),
        Doing(phase="collection"),
        At(test="a", label="one\ntwo"),
        Warm(seconds=1e-6, queues=True),
        TimedTurn(values={"latency": (0.1, 1 / 3)}, elapsed=0.5, foreign=None),
        Failed(test="a", reason="boom"),
        Measured(measurements=INT8.measurements),
        FilesRead(files=("/new/net.py",)),
        Finished(),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_an_answer_arrives_as_it_was_sent_on_one_line(answer):
    line = messages.encode(answer)
    assert line.count(b"\n") == 1
    assert messages.decode_answer(line) == answer


def test_numbers_that_json_lacks_arrive_too():
    turn = TimedTurn(values={"latency": (math.nan, math.inf)}, elapsed=0.5, foreign=0.0)
    assert repr(messages.decode_answer(messages.encode(turn))) == repr(turn)


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"Run": {}}', b'{"At": {"test": "a"}}', b'{"At": 1, "Warm": 2}'])
def test_anything_else_is_refused(line):
    with pytest.raises(CodecError):
        messages.decode_answer(line)

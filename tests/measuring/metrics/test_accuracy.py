"""What a score may be, and what it may be called."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_aiperf.measuring.metrics import accuracy
from pytest_aiperf.vocabulary.errors import UsageError
from pytest_aiperf.vocabulary.terms import Better, Unit


@pytest.mark.parametrize(
    ("scores", "values"),
    [
        (0.5, (0.5,)),
        (1, (1.0,)),
        (True, (1.0,)),
        ([1, 0, True], (1.0, 0.0, 1.0)),
        ((score for score in (1, 0)), (1.0, 0.0)),
        (np.float32(0.5), (0.5,)),
        (np.array(0.5), (0.5,)),
        (np.array([True, False]), (1.0, 0.0)),
        (1.0000001, (1.0000001,)),
    ],
)
def test_it_takes_a_number_or_one_per_example(scores, values):
    assert accuracy.sample(scores, name="accuracy").values == values


@pytest.mark.parametrize("value", [3.1, 95, 1.001, -0.5])
def test_it_refuses_an_accuracy_that_is_no_fraction(value):
    for scores in (value, [0.9, value]):
        with pytest.raises(UsageError, match=rf"an accuracy of {value:g} is no fraction .* divide percent by 100"):
            accuracy.sample(scores, name="accuracy")


def test_it_lets_another_score_be_any_number():
    assert accuracy.sample(95.0, name="bleu").values == (95.0,)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_it_keeps_what_is_not_finite_for_the_verdict(value):
    assert accuracy.sample([1.0, value], name="accuracy").values[1] is value


@pytest.mark.parametrize("scores", [[], "good", None, [[1, 0], [1, 1]], np.ones((2, 2))])
def test_it_refuses_what_is_no_score(scores):
    with pytest.raises(UsageError, match=r"aiperf\.score"):
        accuracy.sample(scores, name="accuracy")


@pytest.mark.parametrize(
    ("name", "better", "says"),
    [
        ("F1", "higher", "lower-case letters"),
        ("f1", "more", "expected 'higher' or 'lower'"),
        ("accuracy", "lower", "accuracy is better when higher"),
        ("latency", "higher", "another metric has this name; reserved are latency, ram"),
    ],
)
def test_it_refuses_a_name_that_would_be_mistaken(name, better, says):
    with pytest.raises(UsageError, match=says):
        accuracy.metric_of(name, better, reserved={"latency", "ram", "accuracy"})


def test_it_makes_a_metric_of_any_other_name():
    metric = accuracy.metric_of("perplexity", "lower", reserved={"latency", "accuracy"})
    assert (metric.name, metric.better, metric.unit) == ("perplexity", Better.LOWER, Unit.NUMBER)
    assert accuracy.metric_of("accuracy", "higher", reserved={"accuracy"}) is accuracy.METRIC

"""Sentences about weights, layers and answers."""

from __future__ import annotations

import pytest

from pytest_aiperf.comparing.why_worse import Answers, worse
from pytest_aiperf.vocabulary.model_figures import Weights

LABELS = [number % 10 for number in range(200)]
DENSE = Weights(parameters=100, zeros=0)


def of(answers, labels=LABELS, reference=LABELS):
    return worse(None, None, {}, Answers(labels=labels, reference=reference, candidate=answers))


def test_the_layers_that_leave_the_reference():
    layers = {"stem": 45.0, "block.0": 18.0, "block.1": 4.0, "block.2": 9.5, "head": 12.0}
    (only,) = worse(DENSE, DENSE, layers, None)
    assert only.startswith("its layers leave the reference first at block.0 (18.0 dB), most at block.1 4.0 dB, ")
    assert only.endswith("block.2 9.5 dB, head 12.0 dB: try leaving these as they were")
    assert worse(DENSE, DENSE, {"stem": 45.0}, None) == ()


def test_weights_that_were_pruned_come_first():
    first, second = worse(DENSE, Weights(parameters=100, zeros=95), {"stem": 3.0}, None)
    assert first == "95% of its weights are 0 (reference 0%): prune less, or fine-tune longer"
    assert second.startswith("its layers leave")
    assert worse(DENSE, Weights(parameters=100, zeros=None), {}, None) == ()


def test_a_model_that_has_learnt_nothing():
    (only,) = of([(label * 7 + place // 10) % 10 for place, label in enumerate(LABELS)])
    assert "no more than always answering 0 (10.0%): it has learnt nothing" in only


def test_one_answer_to_everything():
    (only,) = of([3] * 180 + LABELS[180:])
    assert only == "it answers 3 to 91% of the examples (10% of them are)"


def test_one_label_that_has_all_the_new_mistakes():
    (only,) = of([4 if label == 3 else label for label in LABELS])
    assert only == "20 of its 20 new mistakes are examples of 3 (10% of all are)"


@pytest.mark.parametrize(
    "answers",
    [LABELS, [(label + 1) % 10 if place < 30 else label for place, label in enumerate(LABELS)]],
    ids=["right", "mistakes everywhere"],
)
def test_no_reason_is_made_up(answers):
    assert of(answers) == ()


def test_few_examples_say_nothing():
    assert of([0] * 5, labels=[1] * 5, reference=[1] * 5) == ()

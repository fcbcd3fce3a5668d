"""What stays behind after calls that leak."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pytest_aiperf import growth

KEPT = []


@pytest.fixture(autouse=True)
def _nothing_is_kept():
    yield
    KEPT.clear()


class Answer:
    """Something that a cache keeps."""


def test_the_line_that_allocates_is_named_with_what_it_takes():
    def call():
        KEPT.append(np.ones(10_000))

    first, *_ = growth.told(call)
    assert first.startswith("78.")
    assert " KiB per call allocated at test_growth.py:" in first
    assert first.endswith("(KEPT.append(np.ones(10_000)))")
    assert not tracemalloc.is_tracing()


def test_objects_that_become_more_are_named():
    def call():
        KEPT.append(Answer())

    assert "1 more tests.test_growth.Answer with each call" in growth.told(call)


def test_tensors_are_named_by_their_shape():
    torch = pytest.importorskip("torch")

    def call():
        KEPT.append(torch.ones(64, 256))

    assert growth.told(call)[-1] == "1 more tensor (64, 256) float32 on cpu with each call"


def test_nothing_is_told_of_a_call_that_keeps_nothing():
    assert growth.told(lambda: np.ones(10_000)) == ()

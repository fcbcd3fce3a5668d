"""A load as a sample."""

from __future__ import annotations

import pytest

from pytest_aiperf.measuring.metrics.load_time import NO_FIRST_CALL, Loading
from pytest_aiperf.vocabulary.terms import Origin


def loading(**changes):
    parts = {"read and build": 0.2, "of which to the device": 0.05, "first inference": 0.1}
    return Loading(**{"cache": "warm", "parts": parts, "complete": True, **changes})


@pytest.mark.parametrize(("cache", "metric"), [("warm", "load_warm"), ("cold", "load_cold")])
def test_it_adds_up_the_parts_once_and_no_import(cache, metric):
    sample = loading(cache=cache).sample(imports={"torch": 2.0})
    assert (sample.metric, sample.origin) == (metric, Origin.FRESH)
    assert sample.values == (pytest.approx(0.3),)
    assert sample.notes == ()


def test_it_does_not_say_of_an_import_inside_the_loader_that_it_does_not_count():
    """Such an import is part of `read and build`; which one was, nobody watches."""
    parts = loading().sample(imports={"onnxruntime": 0.15}).parts
    assert parts["import onnxruntime (counted only if the loader does it)"] == 0.15


def test_it_says_that_no_inference_ended_it():
    assert loading(complete=False, notes=("evicted",)).sample(imports={}).notes == ("evicted", NO_FIRST_CALL)

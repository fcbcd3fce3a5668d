"""Throughput that follows from timed calls."""

from __future__ import annotations

import pytest

from pytest_aiperf.measuring.metrics.throughput import derived, of_calls
from pytest_aiperf.vocabulary.records import Sample


def test_items_per_second_of_runs_of_neighbouring_calls():
    assert of_calls((1.0, 1.0, 2.0, 2.0, 4.0, 4.0), items=10, bursts=3) == (10.0, 5.0, 2.5)


@pytest.mark.parametrize(("calls", "bursts"), [(1, 1), (3, 3), (10, 10), (11, 6), (1000, 10)])
def test_at_most_ten_runs(calls: int, bursts: int):
    values = of_calls([0.5] * calls, items=4)
    assert values == pytest.approx([8.0] * bursts)


def test_rare_slow_calls_count():
    often_slow = ([0.01] * 9 + [0.11]) * 10
    assert of_calls(often_slow, items=1) == pytest.approx([50.0] * 10), "a median would say 100"


def test_it_shares_the_disturbance_of_the_calls():
    latency = Sample(metric="latency", values=(0.5,) * 20, notes=("of the latency",), foreign_share=0.3)
    sample = derived(latency, items=8)
    assert (sample.metric, sample.foreign_share) == ("throughput", 0.3)
    assert sample.notes == ("of the calls timed for the latency, 8 items per call",)

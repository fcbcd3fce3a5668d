"""Which number of each sample a baseline keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_aiperf.baselines.summaries import sort_out
from pytest_aiperf.vocabulary.example_values import MOST_GRADED, unpack
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import Origin
from tests.recorded import METRICS, measured, sample

FRESH = Origin.FRESH
NAN, INFINITE = float("nan"), float("inf")


def kept(*samples: Sample) -> dict[str, float]:
    storable, refused = sort_out(measured(*samples), METRICS)
    assert refused == {}
    return {one.metric.name: one.value for one in storable}


def refusals(*samples: Sample) -> dict[str, str]:
    storable, refused = sort_out(measured(*samples), METRICS)
    assert storable == ()
    return dict(refused)


@pytest.mark.parametrize(
    ("samples", "value"),
    [
        ([sample("latency", 0.003, 0.001, 0.002)], 0.002),
        ([sample("latency", 0.00123456)], 0.001235),
        ([sample("latency", 0.002), sample("latency", 0.9, origin=FRESH)], 0.002),
        ([sample("load_cold", 0.5), sample("load_cold", 0.1, 0.3, 0.2, origin=FRESH)], 0.2),
        ([sample("load_cold", v, origin=FRESH) for v in (0.1, 0.3, 0.2)], 0.2),
        ([sample("ram", 9e9), sample("ram", 123_456_789.0, origin=FRESH)], 123_500_000.0),
        ([sample("model_size", 123_456_789.0)], 123_456_789.0),
        ([sample("model_size", 7.0), sample("model_size", 5.0, 6.0, origin=FRESH)], 6.0),
        ([sample("accuracy", 0.9375)], 0.9375),
        ([sample("accuracy", 1.0, 0.0, 1.0)], 0.6667),
        ([sample("accuracy", origin=FRESH), sample("accuracy", 0.5)], 0.5),
    ],
)
def test_it_keeps_one_number_per_metric(samples: list[Sample], value: float) -> None:
    assert kept(*samples) == {samples[0].metric: value}


def test_it_keeps_nothing_that_is_only_shown() -> None:
    assert kept(sample("ram_file", 1.0)) == {}


def test_sessions_keep_the_energy_and_the_clock_of_a_device() -> None:
    assert kept(sample("energy", 0.41), sample("clock_mhz", 1980.0)) == {"energy": 0.41, "clock_mhz": 1980.0}


@pytest.mark.parametrize(
    ("samples", "note"),
    [
        ([sample("ram", 1e9)], "not stored: it was not measured in a fresh process"),
        ([sample("load_cold", 0.5)], "not stored: it was not measured in a fresh process"),
        ([sample("latency", 0.5, origin=FRESH)], "not stored: it was not measured in the test's own process"),
        ([sample("latency")], "not stored: it could not be measured"),
        ([sample("ram", notes=("no /proc on this system",))], "not stored: no /proc on this system"),
        ([sample("latency", 0.1, NAN)], "not stored: some of its values are not finite"),
        ([sample("accuracy", 1.0, INFINITE)], "not stored: some of its values are not finite"),
        ([sample("latency", 0.1, 0.0)], "not stored: some of its values are not above zero"),
        ([sample("renamed", 0.1)], "not stored: no metric has this name"),
        ([sample("at", 0.1)], "not stored: a baseline file uses this word for something else"),
    ],
)
def test_it_says_why_a_metric_is_not_stored(samples: list[Sample], note: str) -> None:
    assert refusals(*samples) == {samples[0].metric: note}


def test_it_stores_nothing_of_a_measurement_that_is_not_what_was_asked_for() -> None:
    fell_back = replace(measured(sample("latency", 0.1)), anomalies=("CUDAExecutionProvider fell back to the CPU",))
    assert sort_out(fell_back, METRICS) == (
        (),
        {"latency": "not stored: CUDAExecutionProvider fell back to the CPU"},
    )


def test_it_keeps_every_example_where_there_are_several() -> None:
    ((accuracy, perplexity), _) = sort_out(
        measured(sample("accuracy", 1.0, 0.0, 1.0), sample("perplexity", 3.5, 4.5)), METRICS
    )
    assert unpack(accuracy.examples) == (1.0, 0.0, 1.0)
    assert unpack(perplexity.examples) == (3.5, 4.5)
    assert accuracy.note == ""


def test_it_keeps_only_the_mean_of_too_many_and_says_so() -> None:
    ((perplexity,), _) = sort_out(measured(sample("perplexity", *[0.5] * (MOST_GRADED + 1))), METRICS)
    assert (perplexity.value, perplexity.examples) == (0.5, None)
    assert perplexity.note.startswith("only the mean is kept: at most 640,000 right-or-wrong or 20,000 graded")

"""What a label keeps of what its measurements saw."""

from __future__ import annotations

from pathlib import Path

from pytest_aiperf.measuring.entry import Entry, Observed
from pytest_aiperf.vocabulary.records import Sample
from pytest_aiperf.vocabulary.terms import HELD_BEFORE, Origin


def peak(value, *, metric="ram", origin=Origin.FRESH, **parts):
    return Sample(metric=metric, values=(value,), origin=origin, parts=parts)


def test_of_two_peaks_the_higher_one_counts_and_what_was_held_before_the_first_stays_known():
    entry = Entry(label="")
    entry.take(Observed(samples=(peak(2.0, **{HELD_BEFORE: 0.5}), peak(1.0, metric="gpu_process"))))
    entry.take(Observed(samples=(peak(3.0, **{HELD_BEFORE: 2.0, "steady": 3.0}),)))
    entry.take(Observed(samples=(peak(1.0, load=1.0),)))
    (ram, gpu) = entry.samples.values()
    assert (ram.values, gpu.values) == ((3.0,), (1.0,))
    assert ram.parts == {HELD_BEFORE: 0.5, "steady": 3.0, "load": 1.0}


def test_a_pass_that_is_repeated_takes_the_place_of_the_first():
    entry = Entry(label="")
    entry.take(Observed(latest=(peak(2.0, metric="latency"),)))
    entry.take(Observed(latest=(peak(1.0, metric="latency"),)))
    assert [sample.values for sample in entry.samples.values()] == [(1.0,)]


def test_samples_of_two_processes_stand_side_by_side():
    entry = Entry(label="")
    entry.take(Observed(samples=(peak(2.0), peak(1.0, origin=Origin.IN_PROCESS))))
    assert {origin for _, origin in entry.samples} == set(Origin)


def test_what_can_be_said_once_is_what_was_said_last_and_everything_else_adds_up():
    entry = Entry(label="")
    entry.take(Observed(disturbances=("others",), covariate=-1.0, anomalies=("a",), facts={"threads": "2"}))
    entry.take(Observed(disturbances=(), anomalies=("b",), facts={"dtype": "int8"}, paths=(Path("m.onnx"),)))
    entry.take(Observed())
    assert entry.seen.disturbances == ()
    assert entry.seen.covariate == -1.0
    assert entry.seen.anomalies == ("a", "b")
    assert entry.seen.facts == {"threads": "2", "dtype": "int8"}
    assert entry.seen.paths == (Path("m.onnx"),)

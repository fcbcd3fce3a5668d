"""What a measurement leaves in the baseline of its label."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_aiperf.baselines.recording import KEPT_ACCURACY, Terms, dropped, record, stored_value
from pytest_aiperf.vocabulary.records import Change, Measurement
from pytest_aiperf.vocabulary.terms import MOST_SESSIONS, Rule, Unit
from tests.recorded import METRICS, disturbed, measured, metric, sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_aiperf.baselines.file_format import Entry


def terms(machine: str = "ci-cpu", *, new_only: bool = False, accept_worse: bool = False) -> Terms:
    return Terms(machine=machine, metrics=METRICS, new_only=new_only, accept_worse=accept_worse)


def recorded(*measurements: Measurement, machine: str = "ci-cpu", entry: Entry | None = None) -> Entry | None:
    for measurement in measurements:
        entry, _ = record(measurement, entry, terms(machine))
    return entry


def brief(changes: Sequence[Change]) -> list[tuple[str, float | None, float | None, str]]:
    return [(one.metric, one.old, one.new, one.note) for one in changes]


def latencies(entry: Entry, machine: str = "ci-cpu") -> list[float]:
    return [session.values["latency"] for session in entry.sessions[machine]]


def timed(seconds: float, day: int = 1, source: str = "s1") -> Measurement:
    return measured(sample("latency", seconds), day=day, source=source)


def scored(*scores: float, day: int = 1, source: str = "s1") -> Measurement:
    return measured(sample("accuracy", *scores), day=day, source=source)


def test_it_makes_no_entry_of_nothing() -> None:
    assert record(measured(sample("ram_file", 1.0)), None, terms()) == (None, ())


def test_it_keeps_the_last_20_sessions() -> None:
    entry = recorded(*(timed(0.001 * day, day) for day in range(1, 24)))
    assert latencies(entry) == pytest.approx([0.001 * day for day in range(4, 24)])
    assert len(latencies(entry)) == MOST_SESSIONS


def test_it_lets_disturbed_sessions_leave_first() -> None:
    days = [disturbed(timed(0.9, day)) if day in {3, 9} else timed(0.001 * day, day) for day in range(1, 23)]
    entry = recorded(*days)
    assert len(latencies(entry)) == 20
    assert not any(session.disturbed for session in entry.sessions["ci-cpu"])
    assert latencies(recorded(disturbed(timed(0.9, 23)), entry=entry)) == latencies(entry)


def test_it_marks_a_disturbed_session_and_says_by_what() -> None:
    entry, changes = record(disturbed(measured(sample("latency", 0.001), sample("accuracy", 0.9))), None, terms())
    (session,) = entry.sessions["ci-cpu"]
    assert session.disturbed
    assert stored_value(entry, "latency", "ci-cpu") is None
    assert brief(changes) == [
        ("latency", None, 0.001, "disturbed, no baseline: another process used 40 % of a core"),
        ("accuracy", None, 0.9, ""),
    ]


def test_it_counts_the_same_session_once() -> None:
    assert latencies(recorded(timed(0.001), timed(0.001), timed(0.002))) == [0.001, 0.002]


def test_it_puts_a_late_session_in_its_place() -> None:
    assert latencies(recorded(timed(0.002, day=2), timed(0.001, day=1))) == [0.001, 0.002]


def test_it_leaves_a_portable_value_that_did_not_move() -> None:
    first = recorded(scored(1.0, 0.0))
    assert record(scored(1.0, 0.0, day=2), first, terms()) == (first, ())
    assert record(measured(sample("model_size", 5.0)), first, terms())[1] != ()


def test_it_renews_a_value_whose_examples_moved_at_the_same_mean() -> None:
    first = recorded(scored(1.0, 0.0))
    entry, changes = record(scored(0.0, 1.0, day=2), first, terms())
    assert entry.portable["accuracy"].at == "2026-01-02T12:00:00Z"
    assert brief(changes) == [("accuracy", 0.5, 0.5, "")]


THIRDS = (1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("name", "stored", "now", "refused"),
    [
        ("accuracy", (0.9,), (0.8999,), True),
        ("accuracy", (0.9,), (0.91,), False),
        ("accuracy", THIRDS, THIRDS * 2, False),
        ("accuracy", (1.0,) * 99_999 + (0.0,), (1.0,) * 99_998 + (0.0, 0.0), True),
        ("accuracy", (1.0,) * 99_998 + (0.0, 0.0), (1.0,) * 99_999 + (0.0,), False),
        ("perplexity", (3.0, 3.2), (3.1, 3.3), True),
        ("perplexity", (3.0, 3.2), (2.9, 3.1), False),
        ("model_size", (5.0,), (6.0,), False),
    ],
)
def test_it_refuses_worse_accuracy(
    name: str, stored: tuple[float, ...], now: tuple[float, ...], *, refused: bool
) -> None:
    first = recorded(measured(sample(name, *stored)))
    worse = measured(sample(name, *now), day=2)
    entry, changes = record(worse, first, terms())
    assert ([one.note for one in changes] == [KEPT_ACCURACY]) is refused
    assert (entry == first) is refused
    accepted, changes = record(worse, first, terms(accept_worse=True))
    assert accepted != first
    assert [one.note for one in changes] == [""]


def test_it_drops_the_sessions_of_every_machine_class_with_another_source() -> None:
    both = recorded(timed(0.002), machine="b", entry=recorded(timed(0.001), timed(0.003, day=2), machine="a"))
    entry, changes = record(timed(0.009, day=3, source="s2"), both, terms("a"))
    assert entry.source == "s2"
    assert {key: latencies(entry, key) for key in entry.sessions} == {"a": [0.009]}
    assert brief(changes) == [("latency", 0.002, 0.009, "replaced: the test's source changed")]


@pytest.mark.parametrize(
    ("files", "kept", "note"),
    [
        ({"m.onnx": "h2"}, {"m.onnx": "h2"}, "the model file changed"),
        ({"n.onnx": "h1"}, {"n.onnx": "h1"}, "the model file changed"),
        ({"m.onnx": "h1"}, {"m.onnx": "h1"}, ""),
        ({}, {"m.onnx": "h1"}, ""),
    ],
)
def test_it_keeps_them_with_another_model_file(files: dict[str, str], kept: dict[str, str], note: str) -> None:
    first = recorded(replace(timed(0.001), files={"m.onnx": "h1"}))
    entry, changes = record(replace(timed(0.009, day=2), files=files), first, terms())
    assert (dict(entry.files), latencies(entry)) == (kept, [0.001, 0.009])
    assert brief(changes) == [("latency", 0.001, 0.009, note)]


def test_it_records_another_model_file_where_no_value_moved() -> None:
    first = recorded(replace(scored(1.0, 0.0), files={"m.onnx": "h1"}))
    entry, changes = record(replace(scored(1.0, 0.0, day=2), files={"m.onnx": "h2"}), first, terms())
    assert dict(entry.files) == {"m.onnx": "h2"}
    assert brief(changes) == [("accuracy", 0.5, 0.5, "the model file changed")]


def test_it_does_not_take_old_values_for_those_of_a_new_model_file_when_told_new_only() -> None:
    first = recorded(replace(timed(0.001), files={"m.onnx": "h1"}))
    both = replace(measured(sample("latency", 0.009), sample("accuracy", 0.9), day=2), files={"m.onnx": "h2"})
    entry, changes = record(both, first, terms(new_only=True))
    assert (dict(entry.files), latencies(entry)) == ({"m.onnx": "h1"}, [0.001])
    assert ("accuracy", None, 0.9, "") in brief(changes)


def test_it_forgets_the_model_file_of_another_source() -> None:
    first = recorded(replace(timed(0.001), files={"m.onnx": "h1"}))
    assert recorded(timed(0.002, day=2, source="s2"), entry=first).files == {}


@pytest.mark.parametrize(("before", "after"), [("s1", None), (None, "s1"), (None, None)])
def test_it_does_not_take_an_unknown_source_for_another_one(before: str | None, after: str | None) -> None:
    first = recorded(replace(timed(0.001), source=before))
    entry = recorded(replace(timed(0.002, day=2), source=after), entry=first)
    assert latencies(entry) == [0.001, 0.002]
    assert entry.source == (before or after)


def test_it_names_what_went_with_the_old_workload() -> None:
    first = recorded(measured(sample("latency", 0.001), sample("model_size", 5.0), sample("accuracy", 0.9)))
    entry, changes = record(measured(sample("throughput", 10.0), day=2, source="s2"), first, terms())
    assert set(entry.portable) == {"accuracy"}
    assert brief(changes) == [
        ("throughput", None, 10.0, "replaced: the test's source changed"),
        ("latency", 0.001, None, "dropped: the test's source changed"),
        ("model_size", 5.0, None, "dropped: the test's source changed"),
    ]


def test_it_holds_a_changed_test_against_its_old_accuracy() -> None:
    first = recorded(measured(sample("latency", 0.001), sample("accuracy", 0.9)))
    second = measured(sample("latency", 0.002), sample("accuracy", 0.8), day=2, source="s2")
    entry, changes = record(second, first, terms())
    assert (entry.source, latencies(entry), entry.portable["accuracy"].value) == ("s2", [0.002], 0.9)
    assert brief(changes) == [
        ("accuracy", 0.9, 0.9, KEPT_ACCURACY),
        ("latency", 0.001, 0.002, "replaced: the test's source changed"),
    ]
    entry, _ = record(second, first, terms(accept_worse=True))
    assert entry.portable["accuracy"].value == 0.8


def test_it_gives_nothing_up_where_the_changed_test_measured_nothing() -> None:
    first = recorded(timed(0.001))
    entry, changes = record(measured(sample("latency"), day=2, source="s2"), first, terms())
    assert entry == first
    assert brief(changes) == [("latency", 0.001, 0.001, "not stored: it could not be measured")]


def test_it_mixes_no_new_workload_into_an_old_entry() -> None:
    first = recorded(timed(0.001))
    changed = measured(sample("latency", 0.002), sample("accuracy", 0.9), day=2, source="s2")
    entry, changes = record(changed, first, terms("another", new_only=True))
    assert entry == first
    note = "kept: the test's source changed; renew it with --aiperf-update"
    assert brief(changes) == [("latency", None, None, note), ("accuracy", None, None, note)]


def test_it_takes_a_session_as_new_where_only_a_disturbed_one_is_stored() -> None:
    first = recorded(disturbed(timed(0.9)))
    entry, _ = record(timed(0.001, day=2), first, terms(new_only=True))
    assert latencies(entry) == [0.9, 0.001]


def test_it_lists_what_a_dropped_entry_held() -> None:
    entry = recorded(measured(sample("latency", 0.002), sample("accuracy", 0.9)))
    left, gone = dropped("t::a", "small", entry, terms())
    assert left is None
    assert brief(gone) == [("accuracy", 0.9, None, "dropped"), ("latency", 0.002, None, "dropped")]
    assert {(one.test, one.label) for one in gone} == {("t::a", "small")}


def test_it_drops_an_entry_without_sessions_on_any_machine_class() -> None:
    left, gone = dropped("t::a", "", recorded(scored(0.9)), terms("another"))
    assert left is None
    assert brief(gone) == [("accuracy", 0.9, None, "dropped")]


def test_it_drops_only_the_sessions_of_this_machine_class_while_another_has_some() -> None:
    """A test that exists on machines with a GPU only is gone on all others."""
    both = recorded(timed(0.003, day=2), machine="cpu", entry=recorded(timed(0.002), scored(0.9), machine="gpu"))
    left, gone = dropped("t::a", "", both, terms("cpu"))
    assert {key: latencies(left, key) for key in left.sessions} == {"gpu": [0.002]}
    assert left.portable["accuracy"].value == 0.9
    assert brief(gone) == [("latency", 0.003, None, "dropped")]
    assert dropped("t::a", "", left, terms("cpu")) == (left, ())


def test_it_stores_a_score_that_the_test_named_itself() -> None:
    f1 = metric("f1", Rule.QUALITY, Unit.FRACTION, portable=True)
    entry, changes = record(replace(measured(sample("f1", 0.8)), scores=(f1,)), None, terms())
    assert entry.portable["f1"].value == 0.8
    assert changes[0].unit is Unit.FRACTION

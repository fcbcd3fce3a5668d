"""What every store does with the entries of a test module, wherever it keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_aiperf.baselines.file_format import Entry
from pytest_aiperf.baselines.recording import Terms, dropped, record
from pytest_aiperf.vocabulary.baseline import Baseline, PortableValue
from pytest_aiperf.vocabulary.errors import BaselineError
from pytest_aiperf.vocabulary.example_values import unpack
from pytest_aiperf.vocabulary.records import Change, Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be done to one test module; of two measurements of one label the later one counts."""

    drops: list[tuple[str, str | None]] = field(default_factory=list)
    measurements: dict[tuple[str, str], Measurement] = field(default_factory=dict)


def place_of(test: str) -> tuple[str, str]:
    """Return the module of a node id, and the test's name in it. Raises BaselineError where it is none."""
    module, separator, name = test.partition("::")
    if not separator or not module:
        raise BaselineError(f"{test!r} is no node id of a test; expected tests/test_x.py::test_y")
    return module, name


def changed(
    stored: Mapping[str, Mapping[str, Entry]], work: Work, terms: Terms
) -> tuple[dict[str, dict[str, Entry]], list[Change]]:
    """Return the entries of a module (name -> label -> entry) as they are afterwards, and what changed."""
    tests = {name: dict(entries) for name, entries in stored.items()}
    changes: list[Change] = []
    for test, label in work.drops:
        entries = tests.get(place_of(test)[1], {})
        for gone in [label] if label is not None else sorted(entries):
            if gone in entries:
                left, lost = dropped(test, gone, entries.pop(gone), terms)
                changes += lost
                entries.update({} if left is None else {gone: left})
    for (test, label), measurement in work.measurements.items():
        entries = tests.setdefault(place_of(test)[1], {})
        entry, moved = record(measurement, entries.get(label), terms)
        changes += moved
        if entry is not None:
            entries[label] = entry
    return {name: entries for name, entries in tests.items() if entries}, changes


def is_known_to(machine: str, entry: Entry) -> bool:
    """Whether a machine class has sessions of an entry, or no class has any."""
    recorded = [key for key, run in entry.sessions.items() if run]
    return machine in recorded or not recorded


def baseline_of(test: str, label: str, entry: Entry, machine: str) -> Baseline:
    """What one machine class is held against."""
    return Baseline(
        test=test,
        label=label,
        source=entry.source,
        files=entry.files,
        allocations=entry.allocations,
        portable={
            name: PortableValue(
                value=stored.value,
                at=stored.at,
                commit=stored.commit,
                examples=None if stored.examples is None else unpack(stored.examples),
            )
            for name, stored in entry.portable.items()
        },
        sessions=tuple(entry.sessions.get(machine, ())),
        other_classes=len(entry.sessions.keys() - {machine}),
    )

"""Which stored baselines no test uses any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_aiperf.baselines.stores.json_files import JsonFiles
from pytest_aiperf.baselines.unused import Collected, find, shown
from tests.recorded import METRICS, machine, measured, sample

MODULE = "tests/test_net.py"
KEPT, GONE = f"{MODULE}::test_net[cpu]", f"{MODULE}::test_net[cuda]"
STORED = {Path("/root") / MODULE: [(KEPT, ""), (GONE, "")]}


def found(collected, *, stored=STORED, outcomes=None, measured_labels=None, root=Path("/root")):
    return find(
        collected,
        root=root,
        stored=stored,
        outcomes=dict.fromkeys(collected.tests, "passed") if outcomes is None else outcomes,
        measured={KEPT: {""}} if measured_labels is None else measured_labels,
    )


def collected(*tests, modules=(MODULE,), folders=(), subset=False):
    return Collected(tests=tests, modules=modules, folders=folders, subset=subset)


def test_it_finds_the_entry_of_a_test_that_is_gone():
    assert found(collected(KEPT)) == ((GONE, ""),)


def test_it_finds_a_label_that_a_passed_test_did_not_measure():
    stored = {Path("/root") / MODULE: [(KEPT, ""), (KEPT, "old")]}
    assert found(collected(KEPT), stored=stored) == ((KEPT, "old"),)
    assert found(collected(KEPT), stored=stored, outcomes={KEPT: "failed"}) == ()
    assert shown(KEPT, "old") == f"{KEPT} [old]"


@pytest.mark.parametrize(
    ("seen", "outcomes"),
    [
        (collected(KEPT, subset=True), None),
        (collected(KEPT), {}),
        (collected(KEPT, modules=("tests/test_other.py",)), None),
    ],
    ids=["a subset was asked for", "not every test ran", "the module was not collected"],
)
def test_it_finds_nothing_where_it_cannot_know(seen, outcomes):
    assert found(seen, outcomes=outcomes) == ()


def test_it_finds_the_entries_of_a_deleted_module_where_its_folder_was_asked_for(tmp_path):
    stored = {tmp_path / MODULE: [(GONE, "")]}
    assert found(collected(modules=(), folders=("tests",)), stored=stored, root=tmp_path) == ((GONE, ""),)
    assert found(collected(modules=(), folders=("other",)), stored=stored, root=tmp_path) == ()
    (tmp_path / "tests").mkdir()
    (tmp_path / MODULE).touch()
    assert found(collected(modules=(), folders=("tests",)), stored=stored, root=tmp_path) == ()


def test_it_calls_no_test_unused_that_exists_on_other_machines_only(tmp_path):
    """`DEVICES = ["cpu"] + (["cuda"] if available else [])`: the runner without a GPU never sees one half."""
    store = JsonFiles(root=tmp_path)
    times = [measured(sample("latency", 0.001), test=test) for test in (KEPT, GONE)]
    store.update(times, environment=machine("gpu"), metrics=METRICS)
    store.update(times[:1], environment=machine("cpu"), metrics=METRICS)
    here = collected(KEPT)
    for key, expected in (("cpu", ()), ("gpu", ((GONE, ""),))):
        assert found(here, stored=store.entries(tmp_path, machine(key)), root=tmp_path) == expected

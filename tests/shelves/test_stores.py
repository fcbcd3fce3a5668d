"""What every store on the shelf promises."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

import pytest

import pytest_aiperf.baselines.stores
from tests.recorded import METRICS, TEST, disturbed, machine, measured, sample

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_aiperf.vocabulary.contracts import Store

MEMBERS = [
    module.name
    for module in pkgutil.iter_modules(pytest_aiperf.baselines.stores.__path__)
    if hasattr(importlib.import_module(f"pytest_aiperf.baselines.stores.{module.name}"), "create")
]


@pytest.fixture(params=MEMBERS)
def member(request: pytest.FixtureRequest):
    return importlib.import_module(f"pytest_aiperf.baselines.stores.{request.param}")


@pytest.fixture
def store(member, tmp_path: Path) -> Store:
    return member.create(tmp_path)


def update(store: Store, *measurements, environment=None, **terms):
    return store.update(measurements, environment=environment or machine(), metrics=METRICS, **terms)


def test_it_stands_on_the_shelf() -> None:
    assert "json_files" in MEMBERS


def test_it_knows_nothing_at_first(store: Store, tmp_path: Path) -> None:
    assert store.read(TEST, machine()) == {}
    assert store.entries(tmp_path) == {}


def test_it_gives_back_what_was_stored(store: Store) -> None:
    changes = update(store, measured(sample("latency", 0.0021, 0.0020, 0.0022), sample("accuracy", 1.0, 0.0, 1.0, 1.0)))
    baseline = store.read(TEST, machine())[""]
    assert (baseline.test, baseline.label, baseline.source) == (TEST, "", "s1")
    (session,) = baseline.sessions
    assert session.values == {"latency": 0.0021}
    assert (session.at, session.commit, session.covariate) == ("2026-01-01T12:00:00Z", "1a2b3c4", -4.213)
    assert baseline.portable["accuracy"].value == 0.75
    assert baseline.portable["accuracy"].examples == (1.0, 0.0, 1.0, 1.0)
    assert {(one.metric, one.old, one.new) for one in changes} == {("latency", None, 0.0021), ("accuracy", None, 0.75)}


def test_it_is_there_for_the_next_process(member, store: Store, tmp_path: Path) -> None:
    update(store, measured(sample("latency", 0.002)))
    assert member.create(tmp_path).read(TEST, machine()) == store.read(TEST, machine()) != {}


def test_it_sees_what_another_one_wrote_since(member, store: Store, tmp_path: Path) -> None:
    update(store, measured(sample("latency", 0.002)))
    assert len(store.read(TEST, machine())[""].sessions) == 1
    update(member.create(tmp_path), measured(sample("latency", 0.003), day=2))
    assert [one.values["latency"] for one in store.read(TEST, machine())[""].sessions] == [0.002, 0.003]


def test_it_keeps_labels_and_tests_apart(store: Store) -> None:
    other = TEST.replace("int8", "fp16")
    update(
        store,
        measured(sample("latency", 0.001), label="small"),
        measured(sample("latency", 0.002), label="large"),
        measured(sample("latency", 0.003), test=other),
    )
    assert {label: one.sessions[0].values["latency"] for label, one in store.read(TEST, machine()).items()} == {
        "small": 0.001,
        "large": 0.002,
    }
    assert list(store.read(other, machine())) == [""]


def test_it_shows_sessions_of_one_machine_class_only_and_counts_the_others(store: Store) -> None:
    update(store, measured(sample("latency", 0.002)), environment=machine("a"))
    update(store, measured(sample("latency", 0.004), day=2), environment=machine("b"))
    assert [one.values["latency"] for one in store.read(TEST, machine("a"))[""].sessions] == [0.002]
    assert store.read(TEST, machine("a"))[""].other_classes == 1
    third = store.read(TEST, machine("c"))[""]
    assert (third.sessions, third.other_classes) == ((), 2)


def test_it_says_from_which_median_a_time_moved(store: Store) -> None:
    for day, seconds in enumerate((0.001, 0.003, 0.002), start=1):
        update(store, measured(sample("latency", seconds), day=day))
    update(store, disturbed(measured(sample("latency", 0.9), day=4)))
    (change,) = update(store, measured(sample("latency", 0.004), day=5))
    assert (change.old, change.new, change.note) == (0.002, 0.004, "")


def test_it_drops_an_entry_or_a_whole_test(store: Store, tmp_path: Path) -> None:
    update(store, measured(sample("latency", 0.001), label="a"), measured(sample("latency", 0.002), label="b"))
    (change,) = update(store, drop=[(TEST, "a")])
    assert (change.label, change.metric, change.old, change.new, change.note) == (
        "a",
        "latency",
        0.001,
        None,
        "dropped",
    )
    assert list(store.read(TEST, machine())) == ["b"]
    update(store, drop=[(TEST, None), ("tests/test_gone.py::test_never", None)])
    assert store.read(TEST, machine()) == {}
    assert store.entries(tmp_path) == {}


def test_it_leaves_another_machine_class_its_sessions_of_what_it_drops(store: Store, tmp_path: Path) -> None:
    update(store, measured(sample("latency", 0.001), sample("accuracy", 0.9)), environment=machine("gpu"))
    before = store.read(TEST, machine("gpu"))
    update(store, measured(sample("latency", 0.002), day=2), environment=machine("cpu"))
    (change,) = update(store, environment=machine("cpu"), drop=[(TEST, None)])
    assert (change.metric, change.old, change.new) == ("latency", 0.002, None)
    assert store.read(TEST, machine("gpu")) == before
    assert update(store, environment=machine("cpu"), drop=[(TEST, "")]) == ()
    assert store.read(TEST, machine("gpu")) == before
    update(store, environment=machine("gpu"), drop=[(TEST, "")])
    assert store.entries(tmp_path) == {}


def test_it_lists_for_a_machine_class_what_it_has_sessions_of_or_nobody_has(store: Store, tmp_path: Path) -> None:
    timed, scored = TEST.replace("int8", "timed"), TEST.replace("int8", "scored")
    update(store, measured(sample("latency", 0.001), sample("accuracy", 0.9)), environment=machine("gpu"))
    update(store, measured(sample("latency", 0.002), test=timed), environment=machine("cpu"))
    update(store, measured(sample("accuracy", 0.9), test=scored), environment=machine("gpu"))
    listed = {key: store.entries(tmp_path, machine(key)) for key in ("cpu", "gpu", "tpu")}
    module = tmp_path / "tests/test_resnet.py"
    assert {key: sorted(entries[module]) for key, entries in listed.items()} == {
        "cpu": [(scored, ""), (timed, "")],
        "gpu": [(TEST, ""), (scored, "")],
        "tpu": [(scored, "")],
    }
    assert len(store.entries(tmp_path)[module]) == 3


def test_it_stores_new_ones_only_when_told_so(store: Store) -> None:
    update(store, measured(sample("latency", 0.001), sample("accuracy", 0.9)))
    changes = update(
        store,
        measured(sample("latency", 0.002), sample("accuracy", 0.95), sample("model_size", 100.0), day=2),
        new_only=True,
    )
    assert [(one.metric, one.new) for one in changes] == [("model_size", 100.0)]
    baseline = store.read(TEST, machine())[""]
    assert [one.values for one in baseline.sessions] == [{"latency": 0.001}]
    assert baseline.portable["accuracy"].value == 0.9


def test_it_takes_a_time_as_new_where_this_machine_class_has_none(store: Store) -> None:
    update(store, measured(sample("latency", 0.001)), environment=machine("a"))
    update(store, measured(sample("latency", 0.002), day=2), environment=machine("b"), new_only=True)
    assert [one.values["latency"] for one in store.read(TEST, machine("b"))[""].sessions] == [0.002]


def test_it_refuses_worse_accuracy_unless_accepted(store: Store) -> None:
    update(store, measured(sample("accuracy", 1.0, 1.0, 1.0, 0.0)))
    worse = measured(sample("accuracy", 1.0, 1.0, 0.0, 0.0), day=2)
    (change,) = update(store, worse)
    assert (change.old, change.new) == (0.75, 0.75)
    assert change.note == "kept: worse accuracy is stored only with --aiperf-accept-worse"
    assert store.read(TEST, machine())[""].portable["accuracy"].value == 0.75
    (change,) = update(store, worse, accept_worse=True)
    assert (change.old, change.new, change.note) == (0.75, 0.5, "")
    assert store.read(TEST, machine())[""].portable["accuracy"].value == 0.5


def test_it_lists_everything_stored_below_a_folder(store: Store, tmp_path: Path) -> None:
    deep = "tests/sub/test_x.py::TestA::test_b[p-1]"
    update(store, measured(sample("latency", 0.001), label="a"), measured(sample("latency", 0.001), test=deep))
    assert store.entries(tmp_path) == {
        tmp_path / "tests/test_resnet.py": [(TEST, "a")],
        tmp_path / "tests/sub/test_x.py": [(deep, "")],
    }
    assert list(store.entries(tmp_path / "tests" / "sub")) == [tmp_path / "tests/sub/test_x.py"]


@pytest.mark.parametrize(
    "test",
    [
        "test_x.py::test_a",
        "tests/sub/test_x.py::TestA::test_b[p-1]",
        "tests/sub/test_x.py::TestA::TestInner::test_b",
        "tests/test_x.py::test_a[a/b c::d]",
        "tests/test_x.py::test_a[C:\\x]",
        'tests/test_x.py::test_a["quoted" <<<<<<< \n]',
        "tests/dir with space/test_ü.py::test_größe[日本]",
        "tests/test_undecodable_\udcff.py::test_a[\udcff]",
        "../outside/test_x.py::test_a",
        "tests/test.dotted.name.py::UnitTests::test_method",
    ],
)
def test_it_takes_every_node_id(store: Store, tmp_path: Path, test: str) -> None:
    update(store, measured(sample("latency", 0.001), test=test, label="ä b/c::d"))
    assert list(store.read(test, machine())) == ["ä b/c::d"]
    module = tmp_path / test.split("::", maxsplit=1)[0]
    entries = store.entries(module.parent.resolve())
    assert entries == {module.parent.resolve() / module.name: [(test, "ä b/c::d")]}


def test_it_takes_200_parametrised_tests_in_one_update(store: Store) -> None:
    tests = [f"{TEST}[{number}]" for number in range(200)]
    changes = update(store, *(measured(sample("latency", 0.001), test=test) for test in tests))
    assert [change.test for change in changes] == tests
    assert all(store.read(test, machine()) for test in tests)

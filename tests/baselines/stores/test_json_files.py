"""Baselines as committed files: where they lie, how they read, and what they survive."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_aiperf.baselines.stores.json_files import JsonFiles, create
from pytest_aiperf.vocabulary.errors import BaselineError
from tests.recorded import METRICS, TEST, machine, measured, sample


def update(store: JsonFiles, *measurements, environment=None, **terms):
    return store.update(measurements, environment=environment or machine(), metrics=METRICS, **terms)


@pytest.fixture
def store(tmp_path: Path) -> JsonFiles:
    return create(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tests" / "__aiperf__" / "test_resnet.json"


def test_it_lies_next_to_its_test_module(store: JsonFiles, tmp_path: Path) -> None:
    update(store, measured(sample("latency", 0.001), test="tests/sub/test_x.py::TestA::test_b[p-1]"))
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()] == [
        "tests/sub/__aiperf__/test_x.json"
    ]


def test_it_reads_well_in_a_review(store: JsonFiles, file: Path) -> None:
    update(store, measured(sample("latency", 0.00207149), sample("model_size", 11173962.0)))
    before = file.read_text()
    assert before.splitlines() == [
        "{",
        '  "format": 1,',
        '  "machines": {',
        '    "ci-cpu": {',
        '      "cores": "2",',
        '      "cpu": "model of ci-cpu"',
        "    }",
        "  },",
        '  "tests": {',
        '    "test_int8": {',
        '      "": {',
        '        "portable": {',
        '          "model_size": {"value": 11173962, "at": "2026-01-01T12:00:00Z", "commit": "1a2b3c4"}',
        "        },",
        '        "sessions": {',
        '          "ci-cpu": [',
        '            {"at": "2026-01-01T12:00:00Z", "commit": "1a2b3c4", "covariate": -4.213, "latency": 0.002071}',
        "          ]",
        "        },",
        '        "source": "s1"',
        "      }",
        "    }",
        "  }",
        "}",
    ]
    update(store, measured(sample("latency", 0.0025), sample("model_size", 11173962.0), day=2))
    added = ',\n            {"at": "2026-01-02T12:00:00Z", "commit": "1a2b3c4", "covariate": -4.213, "latency": 0.0025}'
    assert file.read_text() == before.replace('"latency": 0.002071}', '"latency": 0.002071}' + added)


def test_it_writes_only_where_something_changed(store: JsonFiles, file: Path) -> None:
    update(store, measured(sample("accuracy", 0.9)))
    before = file.stat()
    assert update(store, measured(sample("accuracy", 0.9), day=2)) == ()
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_it_forgets_machine_classes_without_sessions(store: JsonFiles, file: Path) -> None:
    update(store, measured(sample("latency", 0.001)), environment=machine("old"))
    update(store, measured(sample("latency", 0.001), day=2, source="s2"), environment=machine("new"))
    assert "model of new" in file.read_text()
    assert "model of old" not in file.read_text()


def test_it_removes_file_and_folder_with_the_last_test(store: JsonFiles, tmp_path: Path) -> None:
    other = "tests/test_other.py::test_b"
    update(store, measured(sample("latency", 0.001)), measured(sample("latency", 0.001), test=other))
    update(store, drop=[(TEST, "")])
    assert [path.name for path in (tmp_path / "tests" / "__aiperf__").iterdir()] == ["test_other.json"]
    update(store, drop=[(other, None)])
    assert list((tmp_path / "tests").iterdir()) == []


def test_it_touches_nothing_where_nothing_is_stored(store: JsonFiles, tmp_path: Path) -> None:
    assert update(store, measured(sample("ram_file", 1.0)), drop=[(TEST, None)]) == ()
    assert list(tmp_path.iterdir()) == []


BROKEN = {
    "cut off": b'{"format": 1, "machi',
    "newer": b'{"format": 2, "machines": {}, "tests": {}}',
    "in conflict": b"{\n<<<<<<< HEAD\n",
    "empty": b"",
    "no UTF-8": b'{"format": 1, "machines": {}, "tests": {"\xff": {}}}',
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_it_never_overwrites_what_it_cannot_read(store: JsonFiles, tmp_path: Path, file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    before = "tests/test_before.py::test_a"
    for attempt in (
        lambda: store.read(TEST, machine()),
        lambda: store.entries(tmp_path),
        lambda: update(store, measured(sample("latency", 0.001), test=before), measured(sample("latency", 0.001))),
        lambda: update(store, drop=[(TEST, None)]),
    ):
        with pytest.raises(BaselineError, match=r"test_resnet\.json"):
            attempt()
    assert [path.name for path in file.parent.iterdir()] == ["test_resnet.json"]
    assert file.read_bytes() == content


def test_it_says_what_to_do_where_it_cannot_write(tmp_path: Path) -> None:
    def refuse(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(BaselineError, match=r"test_resnet\.json: cannot be written.*Permission denied.*writable"):
        update(JsonFiles(root=tmp_path, write=refuse), measured(sample("latency", 0.001)))


def test_it_says_what_to_do_where_a_folder_is_in_the_way(store: JsonFiles, file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(BaselineError, match=r"test_resnet\.json: cannot be read"):
        store.read(TEST, machine())


@pytest.mark.parametrize("test", ["", "tests/test_x.py", "::test_a"])
def test_it_refuses_what_is_no_node_id(store: JsonFiles, test: str) -> None:
    with pytest.raises(BaselineError, match="no node id"):
        store.read(test, machine())


def test_it_does_not_look_for_baselines_in_hidden_folders_or_environments(store: JsonFiles, tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    update(
        store, *(measured(sample("latency", 0.001), test=f"{place}test_x.py::t") for place in ("", ".git/", "venv/"))
    )
    assert list(store.entries(tmp_path)) == [tmp_path / "test_x.py"]


def test_it_ignores_the_draft_of_a_killed_writer(store: JsonFiles, tmp_path: Path, file: Path) -> None:
    update(store, measured(sample("latency", 0.001)))
    draft = file.with_name(f".{file.name}.999999999.tmp")
    draft.write_text("half")
    assert list(store.entries(tmp_path)) == [tmp_path / "tests" / "test_resnet.py"]
    update(store, drop=[(TEST, None)])
    assert not file.parent.exists()


UPDATER = """
import os, sys
from functools import partial
from pathlib import Path
from pytest_aiperf.machine.atomic_files import replace_text
from pytest_aiperf.baselines.stores.json_files import JsonFiles
from tests.recorded import METRICS, TEST, machine, measured, sample

root, name, task = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

def stand_still(draft, target):
    print("writing", flush=True)
    sys.stdin.read()

store = JsonFiles(root=root, write=partial(replace_text, rename=stand_still if task == "stand still" else os.replace))
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    test = f"{TEST}[{name}-{number}]"
    store.update([measured(sample("latency", 0.001), test=test)], environment=machine(name), metrics=METRICS)
"""


def updater(root: Path, name: str, task: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", UPDATER, str(root), name, task],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout.readline() == b"ready\n"
    return process


def test_it_loses_nothing_where_two_processes_write_at_once(store: JsonFiles, tmp_path: Path) -> None:
    with updater(tmp_path, "a", "update") as one, updater(tmp_path, "b", "update") as other:
        for process in (one, other):
            process.stdin.write(b"go\n")
            process.stdin.flush()
    assert (one.returncode, other.returncode) == (0, 0)
    (entries,) = store.entries(tmp_path).values()
    assert {test for test, _ in entries} == {f"{TEST}[{name}-{number}]" for name in "ab" for number in range(20)}


def test_it_keeps_the_old_file_where_a_writer_is_killed(store: JsonFiles, tmp_path: Path, file: Path) -> None:
    update(store, measured(sample("latency", 0.001)))
    before = file.read_bytes()
    with updater(tmp_path, "a", "stand still") as process:
        process.stdin.write(b"go\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"writing\n"
        process.kill()
    assert file.read_bytes() == before
    assert list(store.entries(tmp_path).values()) == [[(TEST, "")]]
    update(store, measured(sample("latency", 0.002), day=2))
    assert len(store.read(TEST, machine())[""].sessions) == 2
    assert [path.name for path in file.parent.iterdir()] == ["test_resnet.json"]

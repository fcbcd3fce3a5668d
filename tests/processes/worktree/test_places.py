"""Which files belong to a project, and where its modules are imported from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_aiperf.processes.git import project_files
from pytest_aiperf.processes.worktree import Worktree, import_roots
from tests.processes.worktree.projects import write

Open = Callable[..., Worktree]


def test_it_lists_what_git_knows_or_would_add(project: Path) -> None:
    write(project, {".gitignore": "*.bin\n", "w.bin": "", "new ü.py": ""})
    assert project_files(project) == {".gitignore", "model.py", "new ü.py", "tests/test_model.py"}


def roots(top: Path, search_path: list[str], modules: dict[str, str | None] | None = None) -> list[str]:
    found = import_roots(top, search_path=search_path, modules=modules or {})
    return [path.relative_to(top).as_posix() for path in found]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    files = dict.fromkeys(["src/pkg/__init__.py", "src/pkg/sub.py", "flat.py", "libs/ns/part/__init__.py"], "")
    return write(tmp_path / "top", files)


def test_it_keeps_the_order_of_the_search_path(top: Path) -> None:
    path = [f"{top}/src", "/usr/lib/python3", str(top), f"{top}/src/", f"{top}/nowhere", f"{top}/libs"]
    assert roots(top, path) == ["src", ".", "libs"]


def test_it_reads_an_empty_entry_as_the_present_folder(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(top / "src")
    assert roots(top, [""]) == ["src"]


@pytest.mark.parametrize(
    ("name", "file", "root"),
    [
        ("flat", "flat.py", ["."]),
        ("pkg", "src/pkg/__init__.py", ["src"]),
        ("pkg.sub", "src/pkg/sub.py", ["src"]),
        ("ns.part", "libs/ns/part/__init__.py", ["libs"]),
        ("fast", "src/fast.cpython-311-x86_64-linux-gnu.so", ["src"]),
        ("__main__", "src/pkg/__main__.py", []),
        ("another_name", "src/pkg/sub.py", []),
        ("pkg", "../elsewhere/pkg/__init__.py", []),
    ],
)
def test_it_finds_the_root_of_a_loaded_module(top: Path, name: str, file: str, root: list[str]) -> None:
    assert roots(top, [], {name: f"{top}/{file}", "built_in": None}) == root


def test_it_names_each_folder_once(top: Path) -> None:
    (top.parent / "alias").symlink_to(top)
    modules = {"pkg": f"{top}/src/pkg/__init__.py", "flat": f"{top}/flat.py"}
    assert roots(top, [f"{top.parent}/alias/src"], modules) == ["src", "."]


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta/history"])
def test_it_passes_over_environments_inside_the_project(top: Path, mark: str) -> None:
    write(top, {f".venv/{mark}": "", ".venv/lib/python3/os.py": "", ".venv/src/editable/editable.py": ""})
    write(top, {"lib/site-packages/numpy.py": "", "lib/dist-packages/torch.py": ""})
    path = [f"{top}/.venv/lib/python3", f"{top}/.venv/bin", f"{top}/lib/dist-packages", str(top)]
    modules = {
        "os": f"{top}/.venv/lib/python3/os.py",
        "numpy": f"{top}/lib/site-packages/numpy.py",
        "editable": f"{top}/.venv/src/editable/editable.py",
    }
    assert roots(top, path, modules) == ["."]

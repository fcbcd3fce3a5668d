"""A project under git, and worktrees of it that are gone after each test."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from pytest_aiperf.processes.git import resolve
from pytest_aiperf.processes.worktree import Worktree
from tests.processes.worktree.projects import commit, git, repository


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made: empty again after every test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A flat project whose present commit differs from the one before."""
    folder = repository(tmp_path / "project")
    return commit(folder, {"model.py": "old = False\n", "tests/test_model.py": "# new\n"})


@pytest.fixture
def opened(temporary: Path) -> object:
    """Worktrees that are removed at the end, and must then have left nothing behind."""
    trees = []

    def open_tree(toplevel: Path, ref: str = "HEAD~1", tests: tuple[str, ...] = ("tests/test_model.py",), **options):
        options = {"config_file": None, "share": (), **options}
        tree = Worktree(resolve(toplevel, ref), test_files=[toplevel / test for test in tests], **options)
        trees.append(tree)
        tree.create()
        return tree

    yield open_tree
    for tree in trees:
        tree.remove()
        assert git(tree.revision.toplevel, "worktree", "list", "--porcelain").count("worktree ") == 1
    assert list(temporary.iterdir()) == []

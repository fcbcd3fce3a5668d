"""What is checked out, and taken away again."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_aiperf.processes import worktree
from pytest_aiperf.processes.git import resolve
from pytest_aiperf.processes.worktree import Worktree
from pytest_aiperf.vocabulary.errors import AiperfError
from tests.processes.worktree.projects import below, commit, git, repository, write

Open = Callable[..., Worktree]


def test_it_has_the_old_code_and_todays_tests(project: Path, opened: Open) -> None:
    tree = opened(project)
    assert (tree.root / "model.py").read_text() == "old = True\n"
    assert (tree.root / "tests/test_model.py").read_text() == "# new\n"
    assert tree.root.name == project.name
    assert tree.laid_over == {"tests/test_model.py"}


def test_it_leaves_a_dirty_working_tree_alone(project: Path, opened: Open) -> None:
    write(project, {"model.py": "dirty\n", "new.py": "", "tests/test_model.py": "# dirty\n", "tests/new.py": ""})
    git(project, "add", "new.py")
    (project / "tests/old_data.txt").unlink(missing_ok=True)
    before = git(project, "status", "--porcelain")
    tree = opened(project, "HEAD")
    assert (tree.root / "model.py").read_text() == "old = False\n"
    assert (tree.root / "tests/test_model.py").read_text() == "# dirty\n"
    assert below(tree.root) == {"model.py", "tests/test_model.py", "tests/new.py"}
    assert git(project, "status", "--porcelain") == before


def test_it_registers_its_folder_before_git_writes_there(project: Path, opened: Open) -> None:
    seen = []
    tree = opened(project, register=lambda folder: seen.append((folder, list(folder.iterdir()))))
    assert seen == [(tree.root.parent, [])]
    assert tree.root.parent.name.startswith("aiperf-")


@pytest.mark.parametrize("hook", ["post-checkout", "fsmonitor"])
def test_it_runs_no_hook(project: Path, tmp_path: Path, opened: Open, hook: str) -> None:
    script = project / ".git/hooks" / hook
    write(project, {f".git/hooks/{hook}": f"#!/bin/sh\ntouch '{tmp_path}/ran'\n"})
    script.chmod(0o755)
    if hook == "fsmonitor":
        git(project, "config", "core.fsmonitor", str(script))
    git(project, "checkout", "--quiet", "HEAD")
    git(project, "status")
    (tmp_path / "ran").unlink()  # it is there: git does run it otherwise
    opened(project)
    assert not (tmp_path / "ran").exists()


def test_it_knows_the_real_place_of_its_folder(
    project: Path, tmp_path: Path, temporary: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alias").symlink_to(temporary)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "alias"))
    assert opened(project).root.parent.parent == temporary


def test_it_leaves_submodules_alone(project: Path, tmp_path: Path, opened: Open) -> None:
    repository(tmp_path / "library", {"library.py": ""})
    git(project, "submodule", "--quiet", "add", str(tmp_path / "library"), "library")
    git(project, "config", "submodule.recurse", "true")
    commit(project)
    tree = opened(project, "HEAD")
    assert list((tree.root / "library").iterdir()) == []
    assert (project / "library/library.py").exists()


def test_it_works_beside_a_linked_worktree(project: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(project, "worktree", "add", "--quiet", "--detach", str(linked), "HEAD")
    tree = Worktree(resolve(linked, "main~1"), test_files=[], config_file=None, share=())
    assert (tree.create() / "model.py").read_text() == "old = True\n"
    assert tree.revision.toplevel == linked
    tree.remove()
    assert git(project, "worktree", "list", "--porcelain").count("worktree ") == 2
    assert (linked / "model.py").exists()


@pytest.mark.parametrize("failing", ["checking out", "registering", "copying"])
def test_it_leaves_nothing_behind_where_it_fails(
    project: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    if failing == "checking out":
        write(project, {".gitattributes": "*.py filter=broken\n"})
        git(project, "config", "filter.broken.clean", "cat")
        git(project, "config", "filter.broken.smudge", "false")
        git(project, "config", "filter.broken.required", "true")
        commit(project)
    if failing == "copying":
        monkeypatch.setattr(worktree.shutil, "copy2", fail)
    register = fail if failing == "registering" else lambda _: None
    test_files, reference = [project / "tests/test_model.py"], resolve(project, "HEAD")
    tree = Worktree(reference, test_files=test_files, config_file=None, share=(), register=register)
    with pytest.raises(AiperfError, match=r"smudge filter|disk full"):
        tree.create()
    assert list(temporary.iterdir()) == []
    assert git(project, "worktree", "list", "--porcelain").count("worktree ") == 1


def test_it_leaves_other_worktrees_alone(project: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    git(project, "worktree", "add", "--quiet", "--detach", str(mine), "HEAD")
    tree = Worktree(resolve(project, "HEAD"), test_files=[], config_file=None, share=())
    tree.create()
    assert git(project, "worktree", "list", "--porcelain").count("worktree ") == 3
    tree.remove()
    assert str(mine) in git(project, "worktree", "list", "--porcelain")
    assert (mine / "model.py").exists()


def test_it_removes_what_tests_left_there(project: Path, opened: Open) -> None:
    tree = opened(project)
    write(tree.root, {"results/out.txt": "", "tests/__pycache__/x.pyc": ""})
    (tree.root / "results").chmod(stat.S_IRUSR | stat.S_IXUSR)


def test_it_removes_the_entry_where_the_folder_is_damaged(project: Path, opened: Open) -> None:
    (opened(project).root / ".git").unlink()


def test_it_removes_the_entry_where_the_folder_is_gone(project: Path, opened: Open) -> None:
    worktree.shutil.rmtree(opened(project).root.parent)


def test_it_removes_a_tree_whose_check_out_was_interrupted(project: Path, opened: Open) -> None:
    git(project, "worktree", "lock", "--reason", "initializing", str(opened(project).root))


def test_it_has_no_root_afterwards(project: Path, opened: Open) -> None:
    tree = opened(project)
    tree.remove()
    with pytest.raises(AiperfError, match="is not checked out"):
        tree.moved(project)

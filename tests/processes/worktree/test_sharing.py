"""Files that git ignores, linked into the old tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_aiperf.processes.worktree import Worktree
from pytest_aiperf.vocabulary.errors import UsageError
from tests.processes.worktree.projects import below, commit, git, repository, write

Open = Callable[..., Worktree]


@pytest.fixture
def ignoring(tmp_path: Path) -> Path:
    """A project with weights that git ignores, in a folder that it keeps."""
    tracked = {"model.py": "old", "weights/.gitkeep": "", "tests/test_model.py": ""}
    project = repository(tmp_path / "project", {**tracked, ".gitignore": "*.bin\n/data/\n__pycache__\n"})
    weights = {"weights/a b.bin": "w", "weights/big/ü.bin": "w", "weights/__pycache__/x.pyc": ""}
    return write(project, {**weights, "data/train/1.txt": "d", "data/test.txt": "d", "top.bin": "w"})


def links(tree: Worktree) -> set[str]:
    return {name for name in below(tree.root) if (tree.root / name).is_symlink()}


@pytest.mark.parametrize(
    ("pattern", "linked"),
    [
        ("top.bin", {"top.bin"}),
        ("data", {"data"}),
        ("data/", {"data"}),
        ("data/train", {"data/train"}),
        ("data/**", {"data"}),
        ("*.bin", {"top.bin"}),
        ("weights/*.bin", {"weights/a b.bin"}),
        ("weights/**/*.bin", {"weights/a b.bin", "weights/big/ü.bin"}),
        ("weights", {"weights/a b.bin", "weights/big"}),
    ],
)
def test_it_links_what_git_ignores(ignoring: Path, opened: Open, pattern: str, linked: set[str]) -> None:
    tree = opened(ignoring, "HEAD", share=[pattern])
    assert links(tree) == linked
    assert all((tree.root / name).resolve() == ignoring / name for name in linked)


def test_it_never_deletes_what_is_shared(ignoring: Path, opened: Open) -> None:
    before = below(ignoring)
    tree = opened(ignoring, "HEAD", share=["data", "weights", "top.bin"])
    assert links(tree) >= {"data", "top.bin"}
    tree.remove()
    tree.remove()
    assert {name for name in below(ignoring) if not name.startswith(".git/")} == {
        name for name in before if not name.startswith(".git/")
    }


def test_it_takes_a_name_with_brackets_literally(ignoring: Path, opened: Open) -> None:
    write(ignoring, {"weights/[1].bin": "w", "weights/1.bin": "w"})
    assert links(opened(ignoring, "HEAD", share=["weights/[1].bin"])) == {"weights/[1].bin"}


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("model.py", "model.py is tracked by git"),
        ("*.py", "model.py is tracked by git"),
        ("tests", "tests is tracked by git"),
        ("nothing/*.bin", "nothing in .*project matches 'nothing/"),
        ("../outside", "'../outside' leaves or is .*project"),
        ("data/../../outside", "leaves or is"),
        ("/etc/passwd", "leaves or is"),
        (".", "leaves or is"),
        ("", "leaves or is"),
    ],
)
def test_it_refuses_what_cannot_be_shared(
    ignoring: Path, temporary: Path, opened: Open, pattern: str, complaint: str
) -> None:
    with pytest.raises(UsageError, match=f"aiperf_share: .*{complaint}"):
        opened(ignoring, "HEAD", share=[pattern])
    assert list(temporary.iterdir()) == []


def test_it_leaves_what_the_old_tree_has_itself(tmp_path: Path, opened: Open) -> None:
    outside = write(tmp_path / "outside", {"kept": ""})
    project = repository(tmp_path / "project", {"data/old.txt": "old", "file": "old", "tests/test_model.py": ""})
    (project / "link").symlink_to(outside)
    commit(project)
    git(project, "rm", "-r", "--quiet", "data", "file", "link")
    commit(project, {".gitignore": "/data/\n/file/\n/link/\n"})
    write(project, {"data/old.txt": "new", "data/more.txt": "new", "file/x": "new", "link/x": "new"})
    tree = opened(project, share=["data", "file/x", "link", "link/x"])
    assert links(tree) == {"data/more.txt", "link"}
    assert (tree.root / "data/old.txt").read_text() == "old"
    assert below(outside) == {"kept"}

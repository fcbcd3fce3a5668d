"""Today's tests in the tree of yesterday."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytest_aiperf.processes.worktree import Worktree
from tests.processes.worktree.projects import below, commit, git, repository, write

Open = Callable[..., Worktree]


def test_it_replaces_the_whole_topmost_test_folder(tmp_path: Path, opened: Open) -> None:
    old = {"m.py": "", "tests/conftest.py": "old", "tests/test_gone.py": "", "tests/data/gone.txt": ""}
    project = repository(tmp_path / "project", {**old, "other/test_stays.py": "", "tests/.gitignore": "*.log\n"})
    (project / "tests/conftest.py").unlink()
    (project / "tests/test_gone.py").unlink()
    (project / "tests/data/gone.txt").unlink()
    write(project, {"tests/unit/tests/test_new.py": "", "tests/data/ü b.txt": "", "tests/run.log": ""})
    tree = opened(project, "HEAD", ["tests/unit/tests/test_new.py"])
    assert below(tree.root) == {
        *("m.py", "other/test_stays.py"),
        *("tests/.gitignore", "tests/unit/tests/test_new.py", "tests/data/ü b.txt"),
    }


def test_it_keeps_an_old_file_that_git_now_ignores(tmp_path: Path, opened: Open) -> None:
    project = repository(tmp_path / "project", {"tests/test_a.py": "", "tests/weights.bin": "old"})
    git(project, "rm", "--quiet", "--cached", "tests/weights.bin")
    commit(project, {".gitignore": "*.bin\n", "tests/weights.bin": "new"})
    tree = opened(project, "HEAD~1", ["tests/test_a.py"])
    assert (tree.root / "tests/weights.bin").read_text() == "old"


def test_it_takes_a_test_outside_of_test_folders_with_its_conftests(tmp_path: Path, opened: Open) -> None:
    old = {"conftest.py": "old", "speed/conftest.py": "old", "speed/deep/code.py": "old", "speed/gone.py": ""}
    project = repository(tmp_path / "project", old)
    new = {"conftest.py": "new", "speed/deep/code.py": "new", "speed/deep/conftest.py": "new"}
    commit(project, {**new, "speed/deep/test_a.py": "new", "speed/deep/test_b.py": "", "speed/deep/__init__.py": ""})
    (project / "speed/conftest.py").unlink()
    tree = opened(project, "HEAD~1", ["speed/deep/test_a.py"])
    assert tree.laid_over == {
        *("conftest.py", "speed/deep/conftest.py", "speed/deep/test_a.py", "speed/deep/__init__.py"),
    }
    assert below(tree.root) == {*tree.laid_over, "speed/deep/code.py", "speed/gone.py"}
    assert (tree.root / "speed/deep/code.py").read_text() == "old"


def test_it_keeps_the_old_package_beside_a_test(tmp_path: Path, opened: Open) -> None:
    project = repository(tmp_path / "project", {"pkg/__init__.py": "old"})
    commit(project, {"pkg/__init__.py": "new", "pkg/test_a.py": "new"})
    tree = opened(project, "HEAD~1", ["pkg/test_a.py"])
    assert (tree.root / "pkg/__init__.py").read_text() == "old"
    assert tree.laid_over == {"pkg/test_a.py"}


def test_it_finds_tests_in_the_toplevel(tmp_path: Path, opened: Open) -> None:
    project = repository(tmp_path / "tests", {"code.py": "old", "test_a.py": "old"})
    commit(project, {"code.py": "new", "test_a.py": "new"})
    tree = opened(project, "HEAD~1", ["test_a.py"])
    assert [(tree.root / name).read_text() for name in ("code.py", "test_a.py")] == ["old", "new"]


def test_it_takes_a_test_that_git_ignores(project: Path, opened: Open) -> None:
    write(project, {".gitignore": "tests/test_local.py\n", "tests/test_local.py": "local"})
    tree = opened(project, tests=("tests/test_local.py",))
    assert (tree.root / "tests/test_local.py").read_text() == "local"


def test_it_takes_pytests_configuration_of_a_subfolder(tmp_path: Path, opened: Open) -> None:
    project = repository(tmp_path / "project", {"app/pytest.ini": "old", "app/code.py": "old"})
    commit(project, {"app/pytest.ini": "new", "app/code.py": "new", "app/tests/test_a.py": "new"})
    tree = opened(project, "HEAD~1", ["app/tests/test_a.py"], config_file=project / "app/pytest.ini")
    assert tree.laid_over == {"app/pytest.ini", "app/tests/test_a.py"}
    assert (tree.root / "app/pytest.ini").read_text() == "new"
    assert (tree.root / "app/code.py").read_text() == "old"


def test_it_ignores_what_lies_outside(project: Path, tmp_path: Path, opened: Open) -> None:
    write(tmp_path, {"pytest.ini": "", "tests/test_elsewhere.py": ""})
    tree = opened(project, tests=("../tests/test_elsewhere.py",), config_file=tmp_path / "pytest.ini")
    assert tree.laid_over == set()


def test_it_takes_folder_names_literally(tmp_path: Path, opened: Open) -> None:
    here = {":a[b]/tests/test_x.py": "old", ":a[b]/tests/data.txt": "old"}
    project = repository(tmp_path / "project", {**here, "ab/tests/data.txt": "old"})
    write(project, {**dict.fromkeys(here, "new"), "ab/tests/data.txt": "new"})
    assert opened(project, "HEAD", [":a[b]/tests/test_x.py"]).laid_over == {*here}


def test_it_never_writes_or_deletes_through_a_link_of_the_old_tree(tmp_path: Path, opened: Open) -> None:
    outside = write(tmp_path / "outside", {"conftest.py": "mine", "test_a.py": "mine", "gone.py": "mine"})
    project = repository(tmp_path / "project", {})
    (project / "tests").symlink_to(outside)
    (project / "speed").symlink_to(outside)
    commit(project)
    (project / "tests").unlink()
    (project / "speed").unlink()
    commit(project, {"tests/test_a.py": "new", "speed/test_a.py": "new"})
    tree = opened(project, "HEAD~1", ["tests/test_a.py", "speed/test_a.py"])
    assert (tree.root / "tests/test_a.py").read_text() == (tree.root / "speed/test_a.py").read_text() == "new"
    assert {path.read_text() for path in outside.iterdir()} == {"mine"}
    assert len(list(outside.iterdir())) == 3


def test_it_replaces_a_file_by_a_folder_and_a_folder_by_a_file(tmp_path: Path, opened: Open) -> None:
    project = repository(tmp_path / "project", {"tests/a": "", "tests/b/c": "", "tests/test_x.py": ""})
    git(project, "rm", "-r", "--quiet", "tests/a", "tests/b")
    commit(project, {"tests/a/d": "", "tests/b": ""})
    tree = opened(project, "HEAD~1", ["tests/test_x.py"])
    assert below(tree.root) == {"tests/a/d", "tests/b", "tests/test_x.py"}


def test_it_copies_links_as_links(tmp_path: Path, opened: Open) -> None:
    project = repository(tmp_path / "project", {"tests/test_x.py": "", "data/a": ""})
    (project / "tests/gone").symlink_to("../data")
    commit(project)
    (project / "tests/gone").unlink()
    (project / "tests/data").symlink_to("../data")
    (project / "tests/dangling").symlink_to("nowhere")
    tree = opened(project, "HEAD", ["tests/test_x.py"])
    assert {path.name for path in (tree.root / "tests").iterdir()} == {"test_x.py", "data", "dangling"}
    assert (tree.root / "tests/data").resolve() == tree.root / "data"
    assert (tree.root / "tests/dangling").is_symlink()


def test_it_moves_paths_of_the_working_tree_only(project: Path, tmp_path: Path, opened: Open) -> None:
    tree = opened(project)
    (tmp_path / "alias").symlink_to(project)
    assert tree.moved(project) == tree.root
    assert tree.moved(project / "tests/test_model.py") == tree.root / "tests/test_model.py"
    assert tree.moved(tmp_path / "alias/model.py") == tree.root / "model.py"
    assert tree.moved(tmp_path / "elsewhere") == tmp_path / "elsewhere"

"""Which commit a reference means, and what to do where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_aiperf.processes.git import resolve
from pytest_aiperf.processes.worktree import Worktree
from pytest_aiperf.vocabulary.errors import UsageError
from tests.processes.worktree.projects import below, git, repository

Open = Callable[..., Worktree]


def test_it_names_the_reference_as_the_user_wrote_it(project: Path) -> None:
    found = resolve(project / "tests", "main~1")
    sha = git(project, "rev-parse", "HEAD~1")
    assert (found.name, found.sha, found.toplevel) == (f"main~1@{sha[:7]}", sha, project)


def test_it_does_not_repeat_a_hash(project: Path) -> None:
    sha = git(project, "rev-parse", "HEAD")
    assert resolve(project, sha).name == resolve(project, sha[:10]).name == sha[:7]


def test_it_takes_the_commit_of_an_annotated_tag(project: Path) -> None:
    git(project, "tag", "--annotate", "--message", "first", "v1", "HEAD~1")
    assert resolve(project, "v1").sha == git(project, "rev-parse", "HEAD~1")


@pytest.mark.parametrize("ref", ["nowhere", "HEAD~9", "HEAD:model.py", "main..HEAD", "1234567"])
def test_it_refuses_what_is_no_commit(project: Path, ref: str) -> None:
    with pytest.raises(UsageError, match=r"no such commit in .*project; name a branch, tag or commit") as caught:
        resolve(project, ref)
    assert str(caught.value).startswith(f"--aiperf-against={ref}: ")


@pytest.mark.parametrize("ref", ["", "-h", "--all", "--output=stolen"])
def test_it_refuses_what_git_would_take_for_an_option(project: Path, ref: str) -> None:
    with pytest.raises(UsageError, match="no revision; name a branch"):
        resolve(project, ref)


def test_it_names_the_branch_that_only_the_remote_has(tmp_path: Path, project: Path) -> None:
    git(project, "branch", "release")
    git(tmp_path, "clone", "--quiet", str(project), "clone")
    with pytest.raises(UsageError, match="the remote has one: --aiperf-against=origin/release"):
        resolve(tmp_path / "clone", "release")


def test_it_says_that_there_is_no_repository_in_gits_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is in no git working tree \(fatal: not a git repository.*run pytest in"):
        resolve(tmp_path, "main")


def test_it_says_that_there_is_no_git(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UsageError, match=r"needs git, which cannot be run.*install it"):
        resolve(project, "HEAD")


def test_it_is_not_misled_by_the_hook_that_started_it(
    tmp_path: Path, project: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = repository(tmp_path / "other", {"other.py": ""})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    tree = opened(project)
    assert tree.revision.toplevel == project
    assert below(tree.root) == {"model.py", "tests/test_model.py"}
    assert below(other / ".git") >= {"index"}
    assert not (other / ".git/worktrees").exists()


@pytest.fixture
def shallow(tmp_path: Path, project: Path) -> Path:
    git(project, "branch", "release", "HEAD~1")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{project}", "shallow")
    return tmp_path / "shallow"


@pytest.mark.parametrize(
    ("ref", "fetch", "then"),
    [
        ("HEAD~1", "--deepen=1", "HEAD~1"),
        ("HEAD^", "--deepen=1", "HEAD^"),
        ("main~1", "--deepen=1", "main~1"),
        ("release", "--depth=1 origin release", "FETCH_HEAD"),
        ("origin/release", "--depth=1 origin release", "FETCH_HEAD"),
    ],
)
def test_it_says_what_to_fetch_and_that_helps(shallow: Path, ref: str, fetch: str, then: str) -> None:
    with pytest.raises(UsageError, match=r"this clone is shallow.*actions/checkout: `fetch-depth: 0`") as caught:
        resolve(shallow, ref)
    assert f"run `git fetch {fetch}`" in str(caught.value)
    git(shallow, "fetch", "--quiet", *fetch.split())
    assert resolve(shallow, then).sha == git(shallow.parent / "project", "rev-parse", "release")


@pytest.mark.parametrize(
    ("ref", "fetch"),
    [
        ("HEAD~3", "git fetch --deepen=3`"),
        ("HEAD~2^2~1", "git fetch --deepen=4`"),
        ("gone~2", "git fetch --depth=3 origin gone`, then name it --aiperf-against=FETCH_HEAD~2"),
    ],
)
def test_it_counts_how_deep(shallow: Path, ref: str, fetch: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(shallow, ref)
    assert fetch in str(caught.value)

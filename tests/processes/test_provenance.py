"""The files that each side read, and what they prove."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_aiperf.processes.provenance import Provenance, Trees, mixed_up, nothing_own

OLD, NEW = Path("/old"), Path("/repo")
TREES = Trees(
    old=OLD,
    new=NEW,
    laid_over=frozenset({"tests/test_net.py"}),
    project_files=frozenset({"tests/test_net.py", "net/__init__.py", "net/extra.py"}),
)
TESTS = {"old": ["/old/tests/test_net.py"], "new": ["/repo/tests/test_net.py"]}


def test_sides_that_read_their_own_trees_are_fine():
    read = {"old": ["/old/net/__init__.py", *TESTS["old"]], "new": ["/repo/net/__init__.py", *TESTS["new"]]}
    assert mixed_up(TREES, **read) is None
    assert not nothing_own(TREES, **read)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (["/repo/net/extra.py"], [], "the old side read net/extra.py of the working tree"),
        ([], ["/old/net/__init__.py"], "the new side read net/__init__.py of the reference's tree"),
    ],
)
def test_a_side_that_read_the_others_code_is_mixed_up(old, new, says):
    assert says in mixed_up(TREES, old=old, new=new)


def test_files_that_git_ignores_may_be_read_by_both():
    assert mixed_up(TREES, old=["/repo/weights/big.bin", "/repo/.venv/lib/site.py"], new=[]) is None


@pytest.mark.parametrize(
    "more", [{}, {"old": ["/old/.pytest_cache/README.md"]}, {"new": ["/repo/.venv/lib/python3/site.py"]}]
)
def test_tests_alone_are_nothing_to_compare(more):
    read = {arm: [*TESTS[arm], *more.get(arm, [])] for arm in TESTS}
    assert nothing_own(TREES, **read)


def test_it_names_the_first_few_files():
    many = Trees(old=OLD, new=NEW, laid_over=frozenset(), project_files=frozenset(f"f{n}.py" for n in range(9)))
    said = mixed_up(many, old=[f"/repo/f{number}.py" for number in range(9)], new=[])
    assert "f0.py, f1.py, f2.py and 6 more files" in said


def test_it_notes_what_is_opened_imported_and_told(tmp_path):
    inside, outside = tmp_path / "tree", tmp_path / "tree-of-others"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "data.txt").write_text("x")
    provenance = Provenance([str(inside)])
    (inside / "data.txt").read_text()
    (outside / "data.txt").read_text()
    provenance.note([inside / "model.onnx"])
    module = SimpleNamespace(__file__=str(inside / "net.py"))
    seen = provenance.files({"net": module, "builtin": SimpleNamespace(), "sys": sys})
    assert seen == [str(inside / name) for name in ("data.txt", "model.onnx", "net.py")]

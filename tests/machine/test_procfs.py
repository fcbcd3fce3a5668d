"""What /proc says, on trees of files made up for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_aiperf.machine import procfs


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path):
    (tmp_path / "there").write_bytes(b"4\xff\n")
    assert procfs.text(tmp_path / "there") == "4\ufffd\n"
    assert procfs.text(tmp_path / "missing") == ""


@pytest.mark.parametrize(
    ("threads", "childless"),
    [({"1": ""}, True), ({"1": "", "2": ""}, True), ({"1": "", "2": "77 "}, False), ({}, False)],
)
def test_it_knows_from_its_threads_whether_a_process_has_children(
    tmp_path: Path, threads: dict[str, str], childless: bool
):
    """A kernel that keeps no lists says nothing, and then there may be some."""
    for thread, children in threads.items():
        (tmp_path / "proc/self/task" / thread).mkdir(parents=True)
        (tmp_path / "proc/self/task" / thread / "children").write_text(children)
    assert procfs.is_childless(tmp_path) is childless


def test_a_process_with_a_child_is_never_called_childless():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert not procfs.is_childless()
        child.communicate(b"\n")

"""A file is old or new, whatever happens to the process that writes it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_aiperf.machine.atomic_files import only_writer, remove, replace_text

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import os, sys
from pathlib import Path
from pytest_aiperf.machine.atomic_files import only_writer, replace_text

path, moment = Path(sys.argv[1]), sys.argv[2]
syncs = 0

def stand_still():
    print("here", flush=True)
    sys.stdin.read()

def sync(handle):
    global syncs
    syncs += 1
    if moment == "half written":
        os.ftruncate(handle, 3)
        stand_still()
    if moment == "renamed" and syncs == 2:
        stand_still()
    os.fsync(handle)

def rename(draft, target):
    if moment == "written":
        stand_still()
    os.replace(draft, target)

with only_writer(path.parent):
    replace_text(path, "new content", sync=sync, rename=rename)
"""


@pytest.mark.parametrize(
    ("moment", "left"), [("half written", "old content"), ("written", "old content"), ("renamed", "new content")]
)
def test_it_survives_a_kill_at_any_moment(tmp_path: Path, moment: str, left: str) -> None:
    path = tmp_path / "x.json"
    path.write_text("old content")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), moment], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout.readline() == b"here\n"
        writer.kill()
    assert path.read_text() == left
    with only_writer(tmp_path):
        replace_text(path, "newer content")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"x.json": "newer content"}


def test_it_leaves_the_old_content_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        replace_text(path, "new", sync=full)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"x.json": "old"}


def test_it_leaves_the_draft_of_a_living_process_and_of_another_file_alone(tmp_path: Path) -> None:
    living = tmp_path / f".x.json.{os.getppid()}.tmp"
    other = tmp_path / ".y.json.999999999.tmp"
    dead = tmp_path / ".x.json.999999999.tmp"
    for file in (living, other, dead):
        file.write_text("draft")
    replace_text(tmp_path / "x.json", "new")
    assert (living.exists(), other.exists(), dead.exists()) == (True, True, False)


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_it_keeps_the_file_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")
    path.chmod(mode)
    replace_text(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_it_follows_the_umask_for_a_new_file(tmp_path: Path) -> None:
    replace_text(tmp_path / "x.json", "new")
    (tmp_path / "plain").touch()
    assert (tmp_path / "x.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_it_writes_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    replace_text(tmp_path / "link.json", "new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"


def test_it_removes_the_folder_with_its_last_file(tmp_path: Path) -> None:
    folder = tmp_path / "__aiperf__"
    for name in ("x.json", "y.json"):
        replace_text(folder / name, "text")
    remove(folder / "x.json")
    assert [file.name for file in folder.iterdir()] == ["y.json"]
    remove(folder / "y.json")
    remove(folder / "y.json")
    assert not folder.exists()


def test_it_leaves_no_lock_beside_the_files(tmp_path: Path) -> None:
    with only_writer(tmp_path / "folder"):
        assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_it_says_who_is_waited_for_and_how_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_aiperf.machine.atomic_files.PATIENCE_SECONDS", 0.0)
    with only_writer(tmp_path):  # noqa: SIM117 - the second one must find the first
        with pytest.raises(TimeoutError, match="another process has been writing"), only_writer(tmp_path):
            pass

"""Which folders lie in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_aiperf.machine.files import is_in_memory, like, mounts


def mounted(*entries):
    return lambda: [("/", "ext4"), *entries]


@pytest.mark.parametrize(
    ("entries", "folder", "expected"),
    [
        ((), "/fast/x", False),
        ((("/fast", "tmpfs"),), "/fast/x", True),
        ((("/fast", "tmpfs"),), "/fast", True),
        ((("/fast", "tmpfs"),), "/fastx/x", False),
        ((("/mnt", "tmpfs"), ("/mnt/disk", "xfs")), "/mnt/disk/x", False),
        ((("/mnt/disk", "xfs"), ("/mnt", "tmpfs")), "/mnt/other", True),
        ((("/mnt", "ramfs"),), "/mnt/x", True),
    ],
)
def test_the_nearest_mount_point_counts(entries, folder, expected):
    assert is_in_memory(Path(folder), mounted(*entries)) is expected


def test_nothing_is_known_without_mounts():
    assert not is_in_memory(Path("/fast"), list)


def test_a_tree_goes_where_its_twin_lies(tmp_path):
    fast, disk = tmp_path / "fast", tmp_path / "disk"
    for folder in (fast, disk):
        folder.mkdir()
    table = mounted((str(fast.resolve()), "tmpfs"))
    assert like(tmp_path, [fast, disk], table) == disk
    assert like(fast, [fast, disk], table) == fast
    assert like(fast, [disk, fast], table) == fast
    assert like(tmp_path, [fast, tmp_path / "missing"], table) == fast, "nothing better: the caller is told"


def test_this_machine_has_mounts():
    assert any(point == "/" for point, _ in mounts())

"""Which folders lie in memory: what is loaded from there is never cold, and counts as shared memory once mapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

IN_MEMORY = frozenset({"tmpfs", "ramfs"})
Mounts = Callable[[], Iterable[tuple[str, str]]]
"""Mount point and type of every file system."""


def mounts() -> list[tuple[str, str]]:
    """Of this machine."""
    import psutil

    return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]


def is_in_memory(folder: Path, mounted: Mounts = mounts) -> bool:
    """Whether the file system around a folder keeps its files in memory only."""
    resolved = folder.resolve()
    context = [(len(Path(point).parts), kind) for point, kind in mounted() if resolved.is_relative_to(point)]
    return bool(context) and max(context)[1] in IN_MEMORY


def like(folder: Path, candidates: Sequence[Path], mounted: Mounts = mounts) -> Path:
    """The first candidate in memory where `folder` is, on a disk where it is not; the first where none is."""
    wanted = is_in_memory(folder, mounted)
    alike = (one for one in candidates if one.is_dir() and is_in_memory(one, mounted) is wanted)
    return next(alike, candidates[0])

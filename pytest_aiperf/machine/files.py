"""Model files: what is in them, how large they are, whether the page cache holds them; which folders lie in memory."""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from pytest_aiperf.machine import procfs

WHOLE_UP_TO = 256 * 1024**2
"""Larger files are hashed by their size and `CHUNKS` evenly spread chunks: reading 100 GB would take minutes."""
CHUNKS = 64
CHUNK = 1024**2

_SAMPLED = "sampled:"
_WINDOW = 64 * 1024**2
"""Bytes mapped at a time while asking for residency: a multiple of every page size, small where memory is strict."""
_ADVISE: Callable[[int, int, int, int], None] | None = getattr(os, "posix_fadvise", None)
_DONT_NEED = getattr(os, "POSIX_FADV_DONTNEED", 4)
_EXTERNAL_DATA = re.compile(r"[._]data(_\d+)?")
"""What exporters append to `model.onnx` for tensors that lie outside (2 GB is protobuf's limit)."""

IN_MEMORY = frozenset({"tmpfs", "ramfs"})
Mounts: TypeAlias = Callable[[], Iterable[tuple[str, str]]]
"""Mount point and type of every file system."""


def content_hash(path: Path) -> str:
    """Return 16 hex digits of the content, of all files where `path` is a folder or has external data. Raises OSError.

    A file over `WHOLE_UP_TO` gives `sampled:` and a hash that a change between the samples would not move.
    """
    files = every_file([path])
    if files == (path,):
        return _file_hash(path)
    hashes = {os.path.relpath(file, path).replace(os.sep, "/"): _file_hash(file) for file in files}
    listing = "\n".join(f"{name} {hashes[name]}" for name in sorted(hashes))
    return (_SAMPLED if _SAMPLED in listing else "") + _digest([listing.encode()])


def file_bytes(paths: Iterable[Path]) -> int:
    """Return the size of all files together, each counted once. Raises OSError."""
    return sum(file.stat().st_size for file in every_file(paths))


def every_file(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files themselves: those below a folder, and the external data that lies beside an ONNX file."""
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _below(path) if path.is_dir() else (path, *_external_data(path)):
            found.setdefault(file.resolve(), file)
    return tuple(found.values())


def read_through(paths: Iterable[Path]) -> None:
    """Bring the files into the page cache by reading them. Raises OSError."""
    for file in every_file(paths):
        for _ in _chunks(file):
            pass


def resident_share(path: Path) -> float | None:
    """Return the share of a file's pages that the page cache holds; None where the system cannot tell. Raises OSError.

    The kernel calls every page resident for a file that this user neither owns nor may write (Linux 5.2 and later).
    """
    mincore = getattr(ctypes.CDLL(None, use_errno=True), "mincore", None) if os.name == "posix" else None
    if mincore is None:
        return None
    size = path.stat().st_size
    if size == 0:
        return 0.0
    with path.open("rb") as opened:
        resident = sum(
            _resident_pages(mincore, opened.fileno(), start, min(_WINDOW, size - start))
            for start in range(0, size, _WINDOW)
        )
    return resident / -(-size // mmap.PAGESIZE)


def evict(
    paths: Iterable[Path],
    *,
    advise: Callable[[int, int, int, int], None] | None = _ADVISE,
    resident: Callable[[Path], float | None] = resident_share,
) -> tuple[str, ...]:
    """Drop the files from the page cache, and return a note for each one of which that is not certain.

    Needs no privilege. The kernel drops no page that is dirty (hence the sync) or mapped by any process.
    """
    if advise is None:
        return ("page cache not emptied: not supported on this system",)
    notes = (_eviction_note(file, advise, resident) for file in every_file(paths))
    return tuple(note for note in notes if note)


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


def _eviction_note(
    file: Path, advise: Callable[[int, int, int, int], None], resident: Callable[[Path], float | None]
) -> str:
    try:
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            advise(opened.fileno(), 0, 0, _DONT_NEED)
        share = resident(file)
    except OSError as problem:
        return f"{file.name}: not dropped from the page cache ({problem.strerror})"
    if share is None:
        return f"{file.name}: whether it left the page cache cannot be checked on this system"
    if share == 0:
        return ""
    why = _who_maps(file) or "mapped by another process, or its file system keeps it in memory"
    return f"{file.name}: {share:.0%} of it still in the page cache ({why})"


def _resident_pages(mincore: Callable[..., int], handle: int, start: int, length: int) -> int:
    """Count on a fresh mapping, whose own pages are never touched."""
    with mmap.mmap(handle, length, access=mmap.ACCESS_COPY, offset=start) as mapping:
        first = ctypes.c_char.from_buffer(mapping)
        address = ctypes.c_void_p(ctypes.addressof(first))
        del first  # a mapping with a buffer on it cannot be closed
        flags = (ctypes.c_ubyte * -(-length // mmap.PAGESIZE))()
        if mincore(address, ctypes.c_size_t(length), flags):
            raise OSError(ctypes.get_errno(), "mincore failed")
    return sum(flag & 1 for flag in bytes(flags))


def _who_maps(path: Path) -> str:
    """Say so if this very process has the file mapped; that is the usual reason (a loader with mmap)."""
    maps = procfs.text(Path("/proc/self/maps"))
    return "still mapped by this process" if str(path.resolve()) in maps else ""


def _below(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file())


def _external_data(path: Path) -> list[Path]:
    if path.suffix != ".onnx":
        return []
    beside = [file for file in sorted(path.parent.iterdir()) if file.name.startswith(path.name)]
    return [file for file in beside if _EXTERNAL_DATA.fullmatch(file.name.removeprefix(path.name))]


def _file_hash(path: Path) -> str:
    size = path.stat().st_size
    if size > WHOLE_UP_TO:
        return _SAMPLED + _digest([str(size).encode(), *_spread_chunks(path, size)])
    return _digest(_chunks(path))


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            yield chunk


def _spread_chunks(path: Path, size: int) -> Iterator[bytes]:
    """Yield the first, the last and evenly spread ones between them."""
    with path.open("rb") as opened:
        for place in range(CHUNKS):
            opened.seek((size - CHUNK) * place // (CHUNKS - 1))
            yield opened.read(CHUNK)

"""Files that are whole at every moment: one writer at a time, and old or new content, never a part."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 60.0


def lock_folder() -> Path:
    """Where locks lie: one folder per user in the system's temporary folder, which no repository ever sees."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    folder = Path(tempfile.gettempdir()) / f"pytest-aiperf-{user}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep every other process of this user from writing into `folder`, which need not exist yet.

    Raises TimeoutError.
    """
    from filelock import FileLock, Timeout

    name = hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=8).hexdigest()
    try:
        with FileLock(lock_folder() / f"{name}.lock", timeout=PATIENCE_SECONDS):
            yield
    except Timeout:
        raise TimeoutError(f"another process has been writing there for {PATIENCE_SECONDS:.0f} s") from None


def replace_text(
    path: Path,
    text: str,
    *,
    sync: Callable[[int], None] = os.fsync,
    rename: Callable[[Path, Path], None] = os.replace,
) -> None:
    """Put `text` into `path` in one step; its mode stays, a link is followed. Call it as the only writer.

    Raises OSError, and leaves the old content then.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_strays(target)
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with draft.open("xb") as file:
            file.write(text.encode())
            file.flush()
            if target.exists():
                draft.chmod(stat.S_IMODE(target.stat().st_mode))
            sync(file.fileno())
        rename(draft, target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent, sync)


def remove(path: Path) -> None:
    """Delete a file, and its folder too when nothing else is in it. Call it as the only writer."""
    target = path.resolve()
    path.unlink(missing_ok=True)
    _remove_strays(target)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()


def _remove_strays(target: Path) -> None:
    """Drafts of processes that were killed while they wrote; a living one's is left alone."""
    for draft in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        pid = draft.name.split(".")[-2]
        if pid == str(os.getpid()) or not _alive(pid):
            draft.unlink(missing_ok=True)


def _alive(pid: str) -> bool:
    import psutil

    return pid.isdecimal() and psutil.pid_exists(int(pid))


def _sync_folder(folder: Path, sync: Callable[[int], None]) -> None:
    if os.name != "posix":  # no other system opens folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        sync(handle)
    finally:
        os.close(handle)

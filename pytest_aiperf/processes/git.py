"""Which commit a measurement belongs to."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path


@functools.cache
def current(root: Path) -> str | None:
    """Short hash of the checked-out commit, with `-dirty` behind it where files differ; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=7", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None

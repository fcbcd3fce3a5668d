"""Reads /proc and /sys as far as this system has them."""

from __future__ import annotations

from pathlib import Path


def text(file: Path) -> str:
    """What a file of the system says; nothing where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def is_childless(root: Path = Path("/")) -> bool:
    """Whether this process has no children, asked without a look at every process of the machine.

    False where the kernel does not say (it is built without CONFIG_PROC_CHILDREN, or is not Linux).
    """
    lists = list((root / "proc/self/task").glob("*/children"))
    return bool(lists) and not any(text(children) for children in lists)

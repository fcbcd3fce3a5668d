"""Reads /proc and /sys as far as this system has them."""

from __future__ import annotations

from pathlib import Path

_STEAL = 7
"""Place of stolen time among the ticks."""


def text(file: Path) -> str:
    """What a file of the system says; nothing where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def each(root: Path, pattern: str) -> dict[Path, str]:
    """The readable files of a pattern, in order, and what they say without the space around it."""
    read = {file: text(file).strip() for file in sorted(root.glob(pattern))}
    return {file: said for file, said in read.items() if said}


def is_childless(root: Path = Path("/")) -> bool:
    """Whether this process has no children, asked without a look at every process of the machine.

    False where the kernel does not say (it is built without CONFIG_PROC_CHILDREN, or is not Linux).
    """
    lists = list((root / "proc/self/task").glob("*/children"))
    return bool(lists) and not any(text(children) for children in lists)


def kilobytes(file: Path) -> dict[str, int]:
    """The `Name: 123 kB` lines of a file, in bytes; empty where it cannot be read."""
    fields = (line.split() for line in text(file).splitlines() if line.endswith(" kB"))
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in fields}


def counters(file: Path) -> dict[str, int]:
    """The `name 123` lines of a file; empty where it cannot be read."""
    pairs = (line.partition(" ") for line in text(file).splitlines())
    return {name: int(value) for name, _, value in pairs if value.strip().isdigit()}


def first_core(root: Path) -> dict[str, str]:
    """What /proc/cpuinfo says of the first core, by label."""
    fields: dict[str, str] = {}
    for line in text(root / "proc/cpuinfo").splitlines():
        label, _, value = line.partition(":")
        fields.setdefault(label.strip(), value.strip())
    return fields


def ticks(root: Path) -> tuple[int, ...]:
    """The processor's time by kind since boot, all cores together; empty where unknown."""
    return tuple(int(word) for word in text(root / "proc/stat").partition("\n")[0].split()[1:9])


def stolen_share(before: tuple[int, ...], after: tuple[int, ...]) -> float | None:
    """Share of all processor time between two readings of `ticks` that other virtual machines took."""
    spent = [later - earlier for earlier, later in zip(before, after, strict=False)]
    return spent[_STEAL] / sum(spent) if len(spent) > _STEAL and sum(spent) > 0 else None

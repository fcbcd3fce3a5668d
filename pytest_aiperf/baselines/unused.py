"""Which stored baselines no test uses any more: said only of modules that were wholly selected and ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What pytest found, before and after anything was deselected."""

    tests: Sequence[str]
    """Node ids of everything collected."""
    modules: Sequence[str]
    """Files that were collected without error, those without tests included; relative to the root."""
    folders: Sequence[str]
    """Folders that were asked for as a whole."""
    subset: bool
    """Whether something (`-k`, `-m`, `::`, `--lf`, `--deselect`) left tests out."""


def find(
    collected: Collected,
    *,
    root: Path,
    stored: Mapping[Path, Sequence[tuple[str, str]]],
    outcomes: Mapping[str, str],
    measured: Mapping[str, set[str]],
) -> tuple[tuple[str, str], ...]:
    """(node id, label) of every stored entry that is provably unused; empty after a subset run.

    `stored` maps test modules below `root` to their entries, as far as this machine class has sessions of them or no
    class has (a test may exist on some machines only). `outcomes` maps node ids to pytest's outcome, `measured` node
    ids to the labels that they measured.
    """
    if collected.subset or any(test not in outcomes for test in collected.tests):
        return ()
    tests, modules = frozenset(collected.tests), frozenset(collected.modules)
    found = []
    for path, entries in stored.items():
        module = path.relative_to(root)
        if not _covered(module, root, modules, collected.folders):
            continue
        for test, label in entries:
            gone = test not in tests
            silent = outcomes.get(test) == "passed" and label not in measured.get(test, set())
            if gone or silent:
                found.append((test, label))
    return tuple(sorted(found))


def shown(test: str, label: str) -> str:
    """An entry as people read it."""
    return f"{test} [{label}]" if label else test


def _covered(module: Path, root: Path, modules: frozenset[str], folders: Iterable[str]) -> bool:
    if module.as_posix() in modules:
        return True
    deleted = not (root / module).exists()
    return deleted and any(folder in ("", ".") or module.is_relative_to(folder) for folder in folders)

"""Whose code a pair's processes ran: the files that each one read, and what they prove."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_aiperf.vocabulary.text import listed


class Provenance:
    """In a child: notes every file below some folders that Python opens, a module came from, or a model lies in."""

    def __init__(self, folders: Sequence[str]) -> None:
        self.folders = tuple(os.path.join(folder, "") for folder in folders)  # noqa: PTH118 - a prefix with its slash
        self.seen: set[str] = set()
        if folders:  # a hook takes time, and can never be removed
            sys.addaudithook(self._audit)

    def note(self, files: Iterable[Path]) -> None:
        """Files that were read without Python: models that a runtime opened."""
        for file in files:
            self._note(os.path.abspath(file))  # noqa: PTH100 - links are evidence as they stand, not where they lead

    def files(self, modules: Mapping[str, object]) -> list[str]:
        """Everything seen; `modules` are those loaded by now."""
        for module in tuple(modules.values()):
            if isinstance(file := getattr(module, "__file__", None), str):
                self._note(os.path.abspath(file))  # noqa: PTH100
        return sorted(self.seen)

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and arguments and isinstance(arguments[0], str):
            self._note(os.path.abspath(arguments[0]))  # noqa: PTH100

    def _note(self, path: str) -> None:
        if path.startswith(self.folders):
            self.seen.add(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trees:
    """Where each side's code has to come from."""

    old: Path
    """The worktree of the reference."""
    new: Path
    """The user's working tree."""
    laid_over: frozenset[str]
    """Files, relative to both, that are the same on both sides: the current tests."""
    project_files: frozenset[str]
    """Files, relative to either, that git knows or would add."""


def mixed_up(trees: Trees, *, old: Sequence[str], new: Sequence[str]) -> str | None:
    """Why the two sides did not each run their own code; None where they did. `old`, `new`: files that each read."""
    strayed = [file for file in below(trees.new, old) if file in trees.project_files]
    if strayed:
        return (
            f"the old side read {listed(strayed, 'files')} of the working tree, not of the reference: both sides ran "
            "the same code there; is the package found by an absolute path, or by an import hook of its installation?"
        )
    if strayed := list(below(trees.old, new)):
        return f"the new side read {listed(strayed, 'files')} of the reference's tree"
    return None


def nothing_own(trees: Trees, *, old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether no file but the tests, which are the same, came from either tree: there is nothing to compare."""
    own = {*below(trees.old, old), *below(trees.new, new)}
    return own & trees.project_files <= trees.laid_over


def below(folder: Path, files: Sequence[str]) -> Iterable[str]:
    """Those of the files that lie in a folder, relative to it."""
    prefix = os.path.join(folder, "")  # noqa: PTH118
    return (file.removeprefix(prefix) for file in files if file.startswith(prefix))

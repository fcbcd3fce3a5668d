"""What stands on a shelf: a file's name is the word that users type; other packages add theirs by entry points."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.metadata
import pkgutil
import sys
from typing import Any

from pytest_aiperf.vocabulary.errors import UsageError

_PACKAGES = {
    "metrics": "pytest_aiperf.measuring.metrics",
    "frameworks": "pytest_aiperf.runtimes.frameworks",
    "accelerators": "pytest_aiperf.runtimes.accelerators",
    "stores": "pytest_aiperf.baselines.stores",
    "reporters": "pytest_aiperf.reporting.reporters",
}
"""Shelf, as its entry-point group is called -> the package of our own members."""


def names(shelf: str) -> tuple[str, ...]:
    """Every member of a shelf (`reporters`), sorted; nothing of them is imported."""
    return tuple(sorted({*_own(shelf), *_foreign(shelf)}))


def module(shelf: str, name: str) -> Any:
    """One member, imported now; dashes and underscores in `name` are the same. Raises UsageError for an unknown name.

    Of another package it is whatever its entry point in the group `pytest_aiperf.<shelf>` names.
    """
    key = _key(name)
    own, foreign = _own(shelf), _foreign(shelf)
    if key in own and key in foreign:
        raise UsageError(
            f"two {shelf} are called {key!r}: pytest-aiperf's own and {foreign[key].value}; "
            f"rename the entry point of the second"
        )
    if key in own:
        return importlib.import_module(f"{_PACKAGES[shelf]}.{key}")
    if key in foreign:
        return _loaded(shelf, foreign[key])
    raise UsageError(_unknown(shelf, name, sorted({*own, *foreign})))


def create(shelf: str, name: str, *args: Any, **options: Any) -> Any:
    """Return what the member's `create` makes of the arguments. Raises UsageError where it has none."""
    member = module(shelf, name)
    if not callable(getattr(member, "create", None)):
        raise UsageError(f"{_singular(shelf)} {name!r}: {member!r} has no function create()")
    return member.create(*args, **options)


def _loaded(shelf: str, point: importlib.metadata.EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # whatever another package does when it is imported
        package = f" of {point.dist.name}" if point.dist is not None else ""
        told = f"cannot be imported: {type(error).__name__}: {error}; mend or uninstall it"
        raise UsageError(f"{_singular(shelf)} {point.name!r}{package} ({point.value}) {told}") from error


def _own(shelf: str) -> frozenset[str]:
    package = importlib.import_module(_PACKAGES[shelf])
    return frozenset(member.name for member in pkgutil.iter_modules(package.__path__) if member.name[0] != "_")


def _foreign(shelf: str) -> dict[str, importlib.metadata.EntryPoint]:
    points = _entry_points(tuple(sys.path)).select(group=f"pytest_aiperf.{shelf}")
    return {_key(point.name): point for point in points}


@functools.cache
def _entry_points(path: tuple[str, ...]) -> Any:  # noqa: ARG001 - what they depend on
    """Of every installed package: reading them once costs as much as reading one group."""
    return importlib.metadata.entry_points()


def _key(name: str) -> str:
    return name.replace("-", "_")


def _singular(shelf: str) -> str:
    return shelf.removesuffix("s")


def _unknown(shelf: str, name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(_key(name), known, n=1)
    meant = f"; did you mean {close[0].replace('_', '-')}?" if close else ""
    there_are = ", ".join(one.replace("_", "-") for one in known)
    return f"no {_singular(shelf)} {name!r}; there are: {there_are}{meant}"

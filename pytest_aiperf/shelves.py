"""What stands on a shelf: a file's name is the word that users type; other packages add theirs by entry points."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import itertools
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from typing import Any, get_type_hints

from pytest_aiperf.vocabulary.contracts import Framework, Reporter, Store
from pytest_aiperf.vocabulary.devices import Accelerator
from pytest_aiperf.vocabulary.errors import AiperfError, UsageError
from pytest_aiperf.vocabulary.terms import Metric

_PACKAGES = {
    "metrics": "pytest_aiperf.measuring.metrics",
    "frameworks": "pytest_aiperf.runtimes.frameworks",
    "accelerators": "pytest_aiperf.runtimes.accelerators",
    "stores": "pytest_aiperf.baselines.stores",
    "reporters": "pytest_aiperf.reporting.reporters",
}
"""Shelf, as its entry-point group is called -> the package of our own members."""
_SOCKETS = {"frameworks": Framework, "accelerators": Accelerator, "stores": Store, "reporters": Reporter}
"""Shelf -> what its members create."""


def names(shelf: str) -> tuple[str, ...]:
    """Every member of a shelf (`reporters`), sorted; nothing of them is imported."""
    return tuple(sorted({*_own(shelf), *_foreign(shelf)}))


def module(shelf: str, name: str) -> Any:
    """One member, imported now; dashes and underscores in `name` are the same. Raises UsageError for an unknown name.

    Of another package it is whatever its entry point in the group `pytest_aiperf.<shelf>` names.
    """
    key = _key(name)
    own, points = key in _own(shelf), _foreign(shelf).get(key, [])
    owners = [*(["pytest-aiperf itself"] if own else []), *map(_owner, points)]
    if not owners:
        raise UsageError(_unknown(shelf, name, list(names(shelf))))
    if len(owners) > 1:
        raise UsageError(f"two {shelf} are called {key!r}, of {' and of '.join(owners)}; uninstall or rename one")
    if own:
        return importlib.import_module(f"{_PACKAGES[shelf]}.{key}")
    try:
        return points[0].load()
    except Exception as error:  # whatever another package does when it is imported
        raise _wrong(shelf, name, f"cannot be imported: {type(error).__name__}: {error}") from error


def create(shelf: str, name: str, *args: Any) -> Any:
    """Return what the member's `create` makes of the arguments. Raises UsageError for one that breaks its contract."""
    member = module(shelf, name)
    needs = getattr(member, "NEEDS", None)
    if needs is not None and not (isinstance(needs, str) and needs and importlib.util.find_spec(needs)):
        raise UsageError(f"{_told(shelf, name)} needs {needs!r}, which is not installed: pip install {needs}")
    if not callable(getattr(member, "create", None)):
        raise _wrong(shelf, name, "has no function create()")
    try:
        made = member.create(*args)
    except AiperfError:
        raise
    except Exception as error:  # of another package
        raise _wrong(shelf, name, f"cannot be created: {type(error).__name__}: {error}") from error
    socket = _SOCKETS[shelf]
    if socket in (Framework, Accelerator) and not isinstance(made, socket):
        raise _wrong(shelf, name, f"creates {made!r}, no pytest_aiperf.{socket.__name__}")
    wanted = (*inspect.get_annotations(socket), *(part for part in vars(socket) if part[0] != "_"))
    if lacking := [part for part in wanted if not hasattr(made, part)]:
        raise _wrong(shelf, name, f"creates {made!r}, which lacks {', '.join(lacking)}")
    return made


def metric_members() -> Iterator[tuple[str, Any]]:
    """How errors call each module of metrics, and the module; ours first. Raises UsageError for a wrong one."""
    own = _own("metrics")
    for name in sorted(names("metrics"), key=lambda name: (name not in own, name)):
        member = module("metrics", name)
        if name not in own and (mistake := _mistake(member)):
            raise _wrong("metrics", name, mistake)
        yield _told("metrics", name), member


def _mistake(member: Any) -> str:
    """What is wrong with a module of metrics; empty where nothing is."""
    metrics, markers = getattr(member, "METRICS", None), getattr(member, "MARKERS", {})
    if not isinstance(metrics, tuple) or not all(isinstance(metric, Metric) for metric in metrics):
        return f"has METRICS={metrics!r}, expected a tuple of Metric"
    if not isinstance(markers, Mapping) or not all(map(inspect.isfunction, markers.values())):
        return f"has MARKERS={markers!r}, expected a mapping of names to functions"
    if not callable(getattr(member, "probes", list)):
        return f"has probes={member.probes!r}, expected a function"
    kinds = {**get_type_hints(Metric), "negligible": (int, float)}
    for metric, (name, kind) in itertools.product(metrics, kinds.items()):
        if not isinstance(value := getattr(metric, name), kind) or (name == "name" and not value.isidentifier()):
            wanted = "a word such as first_token" if name == "name" else getattr(kind, "__name__", kind)
            return f"has a metric with {name}={value!r}, expected {wanted}"
    return ""


def _told(shelf: str, name: str) -> str:
    """A member as errors call it: `store 'acme_db' of acme (acme.stores)`."""
    points = _foreign(shelf).get(_key(name))
    return f"{shelf.removesuffix('s')} {name!r}" + (f" of {_owner(points[0])}" if points else "")


def _wrong(shelf: str, name: str, what: str) -> UsageError:
    return UsageError(f"{_told(shelf, name)} {' '.join(what.split())}; mend or uninstall it")


def _owner(point: importlib.metadata.EntryPoint) -> str:
    return point.value if point.dist is None else f"{point.dist.name} ({point.value})"


def _own(shelf: str) -> frozenset[str]:
    package = importlib.import_module(_PACKAGES[shelf])
    return frozenset(member.name for member in pkgutil.iter_modules(package.__path__) if member.name[0] != "_")


def _foreign(shelf: str) -> dict[str, list[importlib.metadata.EntryPoint]]:
    found: dict[str, list[importlib.metadata.EntryPoint]] = {}
    for point in _entry_points(tuple(sys.path)).select(group=f"pytest_aiperf.{shelf}"):
        found.setdefault(_key(point.name), []).append(point)
    return found


@functools.cache
def _entry_points(path: tuple[str, ...]) -> Any:  # noqa: ARG001 - what they depend on
    """Of every installed package: reading them once costs as much as reading one group."""
    return importlib.metadata.entry_points()


def _key(name: str) -> str:
    return name.replace("-", "_")


def _unknown(shelf: str, name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(_key(name), known, n=1)
    meant = f"; did you mean {close[0].replace('_', '-')}?" if close else ""
    there_are = ", ".join(one.replace("_", "-") for one in known)
    return f"no {shelf.removesuffix('s')} {name!r}; there are: {there_are}{meant}"

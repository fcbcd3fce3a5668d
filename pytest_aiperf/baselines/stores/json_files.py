"""Baselines as JSON files that are committed next to the tests: `__aiperf__/<test module>.json`."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pytest_aiperf.baselines.file_format import BaselineFile, Entry, parse, render
from pytest_aiperf.baselines.recording import Terms, dropped, record
from pytest_aiperf.machine.atomic_files import only_writer, remove, replace_text
from pytest_aiperf.vocabulary.baseline import Baseline, PortableValue
from pytest_aiperf.vocabulary.errors import BaselineError
from pytest_aiperf.vocabulary.example_values import unpack
from pytest_aiperf.vocabulary.records import Change, Environment, Measurement
from pytest_aiperf.vocabulary.terms import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

FOLDER = "__aiperf__"

_Stamp: TypeAlias = tuple[int, int, int]


def create(root: Path) -> JsonFiles:
    """Open the store below pytest's rootdir."""
    return JsonFiles(root=root)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFiles:
    """One file per test module; read as often as wanted, parsed once per change."""

    root: Path
    """What node ids are relative to."""
    write: Callable[[Path, str], None] = replace_text
    _parsed: dict[Path, tuple[_Stamp, BaselineFile]] = field(default_factory=dict, init=False, repr=False)

    def read(self, test: str, environment: Environment) -> Mapping[str, Baseline]:
        path, name = self._place(test)
        entries = self._parsed_once(path).tests.get(name, {})
        return {label: _baseline(test, label, entry, environment.key) for label, entry in entries.items()}

    def update(
        self,
        measurements: Sequence[Measurement],
        *,
        environment: Environment,
        metrics: Mapping[str, Metric],
        drop: Sequence[tuple[str, str | None]] = (),
        new_only: bool = False,
        accept_worse: bool = False,
    ) -> tuple[Change, ...]:
        terms = Terms(machine=environment.key, metrics=metrics, new_only=new_only, accept_worse=accept_worse)
        work: defaultdict[Path, _Work] = defaultdict(_Work)
        for test, label in drop:
            work[self._place(test)[0]].drops.append((test, label))
        for measurement in measurements:
            work[self._place(measurement.test)[0]].measurements[measurement.test, measurement.label] = measurement
        for path in work:
            self._parsed_once(path)  # one broken file: nothing is written at all
        return tuple(
            change for path in sorted(work) for change in self._update_file(path, work[path], environment, terms)
        )

    def entries(self, root: Path, environment: Environment | None = None) -> Mapping[Path, Sequence[tuple[str, str]]]:
        return {module: self._labels(module, path, environment) for module, path in sorted(_files_below(root))}

    def _update_file(self, path: Path, work: _Work, environment: Environment, terms: Terms) -> list[Change]:
        """Read, change and write as the only writer, so that whatever others wrote before stays."""
        try:
            with only_writer(path.parent):
                stored = _load(path)
                new, changes = self._changed(stored, work, environment, terms)
                if not new.tests:
                    remove(path)
                elif new != stored:
                    self.write(path, render(new))
        except TimeoutError as problem:
            raise BaselineError(f"{path}: not written, {problem}; run it again when that one has ended") from problem
        except OSError as problem:
            raise BaselineError(
                f"{path}: cannot be written ({problem}); baselines live next to the tests, "
                "so record them where the checkout is writable"
            ) from problem
        return changes

    def _changed(
        self, stored: BaselineFile, work: _Work, environment: Environment, terms: Terms
    ) -> tuple[BaselineFile, list[Change]]:
        tests = {name: dict(entries) for name, entries in stored.tests.items()}
        changes: list[Change] = []
        for test, label in work.drops:
            entries = tests.get(self._place(test)[1], {})
            for gone in [label] if label is not None else sorted(entries):
                if gone in entries:
                    left, lost = dropped(test, gone, entries.pop(gone), terms)
                    changes += lost
                    entries.update({} if left is None else {gone: left})
        for (test, label), measurement in work.measurements.items():
            entries = tests.setdefault(self._place(test)[1], {})
            entry, moved = record(measurement, entries.get(label), terms)
            changes += moved
            if entry is not None:
                entries[label] = entry
        tests = {name: entries for name, entries in tests.items() if entries}
        machines = {**stored.machines, environment.key: dict(environment.comparable)}
        used = {key for entries in tests.values() for entry in entries.values() for key in entry.sessions}
        return BaselineFile(machines={key: machines.get(key, {}) for key in used}, tests=tests), changes

    def _place(self, test: str) -> tuple[Path, str]:
        """Return the file of a node id, and the test's key in it."""
        module, separator, name = test.partition("::")
        if not separator or not module:
            raise BaselineError(f"{test!r} is no node id of a test; expected tests/test_x.py::test_y")
        path = self.root / module
        return path.parent / FOLDER / f"{path.stem}.json", name

    def _labels(self, module: Path, path: Path, environment: Environment | None) -> Sequence[tuple[str, str]]:
        node = Path(os.path.relpath(module, self.root)).as_posix()
        return [
            (f"{node}::{name}", label)
            for name, entries in self._parsed_once(path).tests.items()
            for label, entry in entries.items()
            if environment is None or _is_known_to(environment.key, entry)
        ]

    def _parsed_once(self, path: Path) -> BaselineFile:
        try:
            status = path.stat()
        except OSError:
            return _load(path)
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if path not in self._parsed or self._parsed[path][0] != stamp:
            self._parsed[path] = stamp, _load(path)
        return self._parsed[path][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What is to be done to one file; of two measurements of one label the later one counts."""

    drops: list[tuple[str, str | None]] = field(default_factory=list)
    measurements: dict[tuple[str, str], Measurement] = field(default_factory=dict)


def _load(path: Path) -> BaselineFile:
    """Return the file's content: nothing stored, where there is no file."""
    try:
        text = path.read_bytes().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return BaselineFile()
    except OSError as problem:
        raise BaselineError(f"{path}: cannot be read ({problem.strerror}); make it readable") from problem
    except UnicodeDecodeError as problem:
        raise BaselineError(
            f"{path}, byte {problem.start}: no UTF-8 text; restore it with `git checkout -- {path}`, "
            "or delete it and record again with `pytest --aiperf-update`"
        ) from None
    return parse(text, path)


def _files_below(root: Path) -> Iterator[tuple[Path, Path]]:
    """Test module and baseline file; hidden folders and virtual environments are no tests."""
    for folder, children, files in os.walk(root):
        here = Path(folder)
        if here.name == FOLDER:
            yield from (
                (here.parent / f"{name.removesuffix('.json')}.py", here / name)
                for name in files
                if name.endswith(".json") and not name.startswith(".")
            )
        children[:] = [
            name for name in children if not name.startswith(".") and not (here / name / "pyvenv.cfg").exists()
        ]


def _is_known_to(machine: str, entry: Entry) -> bool:
    """Whether a machine class has sessions of an entry, or no class has any."""
    recorded = [key for key, run in entry.sessions.items() if run]
    return machine in recorded or not recorded


def _baseline(test: str, label: str, entry: Entry, machine: str) -> Baseline:
    return Baseline(
        test=test,
        label=label,
        source=entry.source,
        files=entry.files,
        allocations=entry.allocations,
        portable={
            name: PortableValue(
                value=stored.value,
                at=stored.at,
                commit=stored.commit,
                examples=None if stored.examples is None else unpack(stored.examples),
            )
            for name, stored in entry.portable.items()
        },
        sessions=tuple(entry.sessions.get(machine, ())),
        other_classes=len(entry.sessions.keys() - {machine}),
    )

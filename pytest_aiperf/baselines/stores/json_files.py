"""Baselines as JSON files that are committed next to the tests: `__aiperf__/<test module>.json`."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from pytest_aiperf.baselines.entries import Work, baseline_of, changed, is_known_to, place_of
from pytest_aiperf.baselines.file_format import BaselineFile, parse, render
from pytest_aiperf.baselines.recording import Terms
from pytest_aiperf.machine.atomic_files import only_writer, remove, replace_text
from pytest_aiperf.vocabulary.baseline import Baseline
from pytest_aiperf.vocabulary.errors import BaselineError
from pytest_aiperf.vocabulary.records import Change, Environment, Measurement
from pytest_aiperf.vocabulary.terms import Metric

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
        entries = self._parsed_once(self._path(test)).tests.get(place_of(test)[1], {})
        return {label: baseline_of(test, label, entry, environment.key) for label, entry in entries.items()}

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
        work: defaultdict[Path, Work] = defaultdict(Work)
        for test, label in drop:
            work[self._path(test)].drops.append((test, label))
        for measurement in measurements:
            work[self._path(measurement.test)].measurements[measurement.test, measurement.label] = measurement
        for path in work:
            self._parsed_once(path)  # one broken file: nothing is written at all
        return tuple(
            change for path in sorted(work) for change in self._update_file(path, work[path], environment, terms)
        )

    def entries(self, root: Path, environment: Environment | None = None) -> Mapping[Path, Sequence[tuple[str, str]]]:
        return {module: self._labels(module, path, environment) for module, path in sorted(_files_below(root))}

    def _update_file(self, path: Path, work: Work, environment: Environment, terms: Terms) -> list[Change]:
        """Read, change and write as the only writer, so that whatever others wrote before stays."""
        try:
            with only_writer(path.parent):
                stored = _load(path)
                tests, changes = changed(stored.tests, work, terms)
                machines = {**stored.machines, environment.key: dict(environment.comparable)}
                used = {key for entries in tests.values() for entry in entries.values() for key in entry.sessions}
                new = BaselineFile(machines={key: machines.get(key, {}) for key in used}, tests=tests)
                if not tests:
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

    def _path(self, test: str) -> Path:
        """The file of a node id."""
        path = self.root / place_of(test)[0]
        return path.parent / FOLDER / f"{path.stem}.json"

    def _labels(self, module: Path, path: Path, environment: Environment | None) -> Sequence[tuple[str, str]]:
        node = Path(os.path.relpath(module, self.root)).as_posix()
        return [
            (f"{node}::{name}", label)
            for name, entries in self._parsed_once(path).tests.items()
            for label, entry in entries.items()
            if environment is None or is_known_to(environment.key, entry)
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

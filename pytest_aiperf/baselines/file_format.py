"""The text of a baseline file: sorted, one metric or session per line, and read back strictly."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from pytest_aiperf.baselines.strict_json import Place, ShapeError, decoded, quoted
from pytest_aiperf.vocabulary.baseline import ON_GPU, Allocations, Session
from pytest_aiperf.vocabulary.errors import BaselineError
from pytest_aiperf.vocabulary.example_values import rounded, unpack

FORMAT = 1
# History of the format:
# 1  machines (comparable facts of each class); tests -> label -> source, files, portable values, sessions per class.

SESSION_WORDS = frozenset({"at", "commit", "covariate", "disturbed"})
"""What a session line says beside its metrics; no machine-bound metric can have such a name."""

_CONFLICT = re.compile(r"^(<<<<<<<|>>>>>>>)", re.MULTILINE)

_Tree: TypeAlias = "str | list[str] | dict[str, _Tree]"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredValue:
    """A portable value as the file has it, in this order; `examples` stays packed."""

    value: float
    at: str
    commit: str | None
    examples: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Everything stored under one label of one test."""

    source: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    portable: Mapping[str, StoredValue] = field(default_factory=dict)
    sessions: Mapping[str, Sequence[Session]] = field(default_factory=dict)
    """Machine class -> its sessions, oldest first."""
    allocations: Allocations = field(default_factory=Allocations)
    """When memory was last stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineFile:
    """The baselines of one test module."""

    machines: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Machine class -> its comparable facts."""
    tests: Mapping[str, Mapping[str, Entry]] = field(default_factory=dict)
    """Test (node id without its module) -> label -> entry."""


def render(stored: BaselineFile) -> str:
    """Return the whole file as text; equal content gives equal text."""
    tree: _Tree = {
        "format": str(FORMAT),
        "machines": {key: _leaves(facts) for key, facts in stored.machines.items()},
        "tests": {
            test: {label: _entry_tree(entry) for label, entry in labels.items()}
            for test, labels in stored.tests.items()
        },
    }
    return _laid_out(tree, "") + "\n"


def parse(text: str, path: Path) -> BaselineFile:
    """Read what `render` wrote. Raises BaselineError that names file, place and remedy."""
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        raise BaselineError(
            f"{path}, line {line}: unresolved merge conflict; keep the session lines of both sides and remove "
            f"the markers, or take one side with `git checkout --ours -- {shlex.quote(str(path))}` "
            "and record again with `pytest --aiperf-update`"
        )
    try:
        return _file(decoded(text), path)
    except ShapeError as wrong:
        raise BaselineError(
            f"{path}, {wrong}; restore it with `git checkout -- {shlex.quote(str(path))}`, "
            "or delete it and record again with `pytest --aiperf-update`"
        ) from None


def _entry_tree(entry: Entry) -> _Tree:
    on_gpu = {ON_GPU + line: size for line, size in entry.allocations.gpu.items()}
    allocations = {line: rounded(size) for line, size in {**entry.allocations.host, **on_gpu}.items()}
    tree: dict[str, _Tree] = {
        "source": "" if entry.source is None else _leaf(entry.source),
        "files": _leaves(entry.files),
        "portable": {name: _line(asdict(value)) for name, value in entry.portable.items()},
        "sessions": {key: [_session_line(session) for session in run] for key, run in entry.sessions.items()},
        "allocations": _leaves(allocations),
    }
    return {key: branch for key, branch in tree.items() if branch}


def _session_line(session: Session) -> str:
    said = {"at": session.at, "commit": session.commit, "covariate": session.covariate}
    disturbed = session.disturbed or None
    return _line({**said, "disturbed": disturbed, **dict(sorted(session.values.items()))})


def _laid_out(tree: _Tree, indent: str) -> str:
    """Branches over several lines; a leaf is a line that is already finished."""
    if isinstance(tree, str):
        return tree
    inner = indent + "  "
    if isinstance(tree, list):
        return "[\n" + ",\n".join(inner + leaf for leaf in tree) + f"\n{indent}]"
    if not tree:
        return "{}"
    lines = [f"{inner}{quoted(key)}: {_laid_out(tree[key], inner)}" for key in sorted(tree)]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _line(fields: Mapping[str, str | float | None]) -> str:
    """An object on one line, without what is unknown."""
    return "{" + ", ".join(f"{quoted(key)}: {_leaf(value)}" for key, value in fields.items() if value is not None) + "}"


def _leaves(values: Mapping[str, str | float]) -> dict[str, _Tree]:
    return {key: _leaf(value) for key, value in values.items()}


def _leaf(value: str | float) -> str:
    if isinstance(value, str):
        return quoted(value)
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 else value)


def _file(place: Place, path: Path) -> BaselineFile:
    version = place.fields().get("format")
    if version is None or type(version.value) is not int or version.value < 1:
        raise ShapeError(f"{place.where}: 'format' is missing or no version")
    if version.value > FORMAT:
        raise BaselineError(
            f"{path}: written by a newer pytest-aiperf (format {version.value}; this one reads up to {FORMAT}): upgrade"
        )
    fields = place.known_fields(frozenset({"format", "machines", "tests"}))
    return BaselineFile(
        machines={key: _texts(facts) for key, facts in fields["machines"].fields().items()},
        tests={
            test: {label: _entry(entry) for label, entry in labels.fields().items()}
            for test, labels in fields["tests"].fields().items()
        },
    )


def _entry(place: Place) -> Entry:
    fields = place.known_fields(frozenset(), frozenset({"allocations", "files", "portable", "sessions", "source"}))
    return Entry(
        source=_optional_text(fields, "source"),
        files=_texts(fields["files"]) if "files" in fields else {},
        portable={name: _portable(line) for name, line in _branch(fields, "portable").items()},
        sessions={key: _sessions(run) for key, run in _branch(fields, "sessions").items()},
        allocations=Allocations.of_lines(
            {line: size.number() for line, size in _branch(fields, "allocations").items()}
        ),
    )


def _portable(place: Place) -> StoredValue:
    fields = place.known_fields(frozenset({"value", "at"}), frozenset({"commit", "examples"}))
    examples = _optional_text(fields, "examples")
    if examples is not None:
        try:
            unpack(examples)
        except ValueError as problem:
            raise ShapeError(f"{fields['examples'].where}: {problem}") from None
    return StoredValue(
        value=fields["value"].number(),
        at=fields["at"].text(),
        commit=_optional_text(fields, "commit"),
        examples=examples,
    )


def _sessions(place: Place) -> tuple[Session, ...]:
    """Oldest first, whatever order a merge left them in."""
    return tuple(sorted((_session(line) for line in place.items()), key=lambda session: session.at))


def _session(place: Place) -> Session:
    fields = place.fields()
    if "at" not in fields:
        raise ShapeError(f"{place.where}: 'at' is missing")
    return Session(
        at=_time(fields["at"]),
        commit=_optional_text(fields, "commit"),
        covariate=fields["covariate"].number() if "covariate" in fields else None,
        disturbed=fields["disturbed"].truth() if "disturbed" in fields else False,
        values={name: value.number() for name, value in fields.items() if name not in SESSION_WORDS},
    )


def _time(place: Place) -> str:
    """UTC, ISO 8601, to the second: the verdicts count how long sessions are apart."""
    text = place.text()
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007 - the Z is part of the text
    except ValueError:
        raise ShapeError(f"{place.where}: a time such as 2026-11-20T12:00:00Z was expected, not {text!r}") from None
    return text


def _branch(fields: Mapping[str, Place], key: str) -> dict[str, Place]:
    return fields[key].fields() if key in fields else {}


def _texts(place: Place) -> dict[str, str]:
    return {key: text.text() for key, text in place.fields().items()}


def _optional_text(fields: Mapping[str, Place], key: str) -> str | None:
    return fields[key].text() if key in fields else None

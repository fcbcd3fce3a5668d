"""Records to JSON and back: strict, versioned, and exact for numbers that JSON does not know."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pytest_aiperf.vocabulary.baseline import Allocations
from pytest_aiperf.vocabulary.errors import CodecError
from pytest_aiperf.vocabulary.pairing import Block, Turn
from pytest_aiperf.vocabulary.records import Measurement, Result, Run, Sample, Verdict

Record = TypeVar("Record")

# History of the run format, told to users in docs/json-report.md:
# 1 - the fields of `Run` and of the records in it, beside "format". Enums by value, NaN and infinities as strings.
#     Later and without a new number, because an absent one reads as none: `pairing`, `grounds`.
# 2 - `criteria`, `needs`, `turns` and `arm` were `grounds`, `want`, `legs` and `side`. A sample says how many calls one
#     of its values stands for: in format 1 ten, where memory was watched for leaks. What a message advised at its end
#     is the verdict's `remedy`; what began with `why: `, `void: `, `child: `, `out of memory` or
#     `GPU: ` has a field of its own. A turn has values of several metrics.
FORMAT = 2

_SPELLED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def encode_run(run: Run) -> bytes:
    """A whole run with its format number. Raises CodecError for text that is not Unicode."""
    import msgspec

    return encode({"format": FORMAT, **msgspec.to_builtins(run)})


def read_run(path: str | os.PathLike[str]) -> Run:
    """The run in a JSON report, or in `.aiperf/last.json`. Raises AiperfError for what is none, OSError."""
    try:
        return decode_run(Path(path).read_bytes())
    except CodecError as error:
        raise CodecError(f"{os.fspath(path)}: {error}") from None


def decode_run(data: bytes) -> Run:
    """The run that `encode_run` wrote. Raises CodecError with the place of the first mistake."""
    content = _loaded(data)
    if not isinstance(content, dict) or "format" not in content:
        raise CodecError('this is not a run of pytest-aiperf: expected an object with "format"')
    if (found := content.pop("format")) not in (1, FORMAT):
        raise CodecError(
            f"this run has format {found!r}, this version of pytest-aiperf reads {FORMAT}: "
            "upgrade pytest-aiperf, or measure again"
        )
    return _checked(content, Run, found)


_RENAMED_IN_2 = {
    Result: {"grounds": "criteria"},
    Verdict: {"want": "needs"},
    Block: {"legs": "turns"},
    Turn: {"side": "arm"},
}
_ARMS_IN_1 = {"old": "reference", "new": "candidate"}


def _from_format_1(old: Mapping[str, Any], record: type) -> dict[str, Any]:
    """The fields of one record as format 2 would have written them; those of the records in it are left alone."""
    renamed = _RENAMED_IN_2.get(record, {})
    new = {renamed.get(name, name): value for name, value in old.items()}
    if record is Turn and new.keys() >= {"arm", "metric", "values"}:
        new |= {"arm": _ARMS_IN_1.get(new["arm"], new["arm"]), "values": {new.pop("metric"): new["values"]}}
    elif record is Sample:
        if new.get("metric") in ("leak", "gpu_leak"):
            new["calls_per_value"] = 10
        failures, notes = _told_apart(new.get("notes", ()), "child: ")
        voids, new["notes"] = _told_apart(notes, "void: ")
        new |= {"failure": next(iter(failures), ""), "void": next(iter(voids), "")}
    elif record is Measurement:
        exhausted, new["anomalies"] = _told_apart(new.get("anomalies", ()), "out of memory")
        new["out_of_memory"] = exhausted[-1].removeprefix(": ") if exhausted else None
        told = {metric: _told_apart(texts, "why: ") for metric, texts in new.get("reasons", {}).items()}
        new["reasons"] = {metric: reasons for metric, (reasons, _) in told.items()}
        new["breakdown"] = {metric: others for metric, (_, others) in told.items() if others}
    elif record is Allocations:
        new = dataclasses.asdict(Allocations.of_lines(new))
    elif record is Verdict:
        if new.get("needs") == "twins":
            new["needs"] = "model_pairs"
        new["message"], new["remedy"] = _message_and_remedy(new.get("message", ""))
        new["reasons"], new["notes"] = _told_apart(new.get("notes", ()), "why: ")
    return new


def _told_apart(texts: Iterable[str], beginning: str) -> tuple[list[str], list[str]]:
    """Those that begin so, without their beginning, and the others."""
    marked = [text.removeprefix(beginning) for text in texts if text.startswith(beginning)]
    return marked, [text for text in texts if not text.startswith(beginning)]


def _message_and_remedy(text: str) -> tuple[str, str]:
    """`no baseline` and `record one: pytest ...` of `no baseline; record one: pytest ...`."""
    before, command, test = text.partition(": pytest --aiperf-update ")
    message, _, what = before.rpartition("; ")
    return (message, f"{what}{command}{test}") if command and message else (text, "")


def encode(record: object) -> bytes:
    """Any record of the vocabulary. Raises CodecError for text that is not Unicode."""
    import msgspec

    try:
        return msgspec.json.encode(_spell(msgspec.to_builtins(record)))
    except UnicodeEncodeError as error:
        raise CodecError(f"text that is not valid Unicode cannot be written: {error.object!r}") from None


def decode(data: bytes, kind: type[Record], *, written_in: int = FORMAT) -> Record:
    """A record of that kind, of this format or of format 1. Raises CodecError with the place of the first mistake."""
    return _checked(_loaded(data), kind, written_in)


def decode_tagged(data: bytes, kinds: Mapping[str, type]) -> Any:
    """A record whose kind is said by its only key. Raises CodecError with the place of the first mistake."""
    content = _loaded(data)
    match content:
        case dict() if len(content) == 1 and (tag := next(iter(content))) in kinds:
            return _checked(content[tag], kinds[tag])
    raise CodecError(f"expected an object whose only key is one of {', '.join(kinds)}")


def _loaded(data: bytes) -> Any:
    import msgspec

    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CodecError(f"this is not JSON: {error}") from None


def _checked(content: object, kind: type[Record], written_in: int = FORMAT) -> Record:
    import msgspec

    try:
        return msgspec.convert(_revive(content, kind, "$", written_in), kind)
    except msgspec.ValidationError as error:
        raise CodecError(f"this is not a {kind.__name__}: {error}") from None


def _spell(content: Any) -> Any:
    """Builtins in which numbers that JSON lacks are words."""
    if isinstance(content, float):
        if math.isfinite(content):
            return content
        return "NaN" if math.isnan(content) else "Infinity" if content > 0 else "-Infinity"
    if isinstance(content, dict):
        return {key: _spell(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_spell(value) for value in content]
    return content


def _revive(content: Any, expected: Any, place: str, written_in: int) -> Any:
    """The reverse of `_spell`, only where a number is expected; a field that no record has is a mistake.

    Names in a mapping are the user's: only what is expected to be a record is brought from an older format.
    """
    if isinstance(content, str):
        return _SPELLED.get(content, content) if float in _choices(expected) else content
    if isinstance(content, list):
        inner = _inner(expected, 0)
        return [_revive(value, inner, f"{place}[{index}]", written_in) for index, value in enumerate(content)]
    if not isinstance(content, dict):
        return content
    if (record := _record(expected)) is None:
        inner = _inner(expected, 1)
        return {key: _revive(value, inner, f"{place}.{key}", written_in) for key, value in content.items()}
    if written_in == 1:
        try:
            content = _from_format_1(content, record)
        except (TypeError, AttributeError):
            raise CodecError(f"this is not a {record.__name__} of format 1 - at `{place}`") from None
    fields = _hints(record)
    if unknown := sorted(content.keys() - fields.keys()):
        raise CodecError(f"unknown field {unknown[0]!r} - at `{place}`")
    return {key: _revive(value, fields[key], f"{place}.{key}", written_in) for key, value in content.items()}


def _choices(expected: Any) -> tuple[Any, ...]:
    if typing.get_origin(expected) in (typing.Union, types.UnionType):
        return typing.get_args(expected)
    return (expected,)


def _inner(expected: Any, position: int) -> Any:
    """What a container holds: position 0 of a tuple, 1 of a mapping; None where it holds nothing known."""
    for choice in _choices(expected):
        if len(arguments := typing.get_args(choice)) > position:
            return arguments[position]
    return None


def _record(expected: Any) -> type | None:
    """The record that is expected; None of anything else."""
    records = (one for one in _choices(expected) if isinstance(one, type) and dataclasses.is_dataclass(one))
    return next(records, None)


@functools.cache
def _hints(record: type) -> dict[str, Any]:
    return typing.get_type_hints(record)

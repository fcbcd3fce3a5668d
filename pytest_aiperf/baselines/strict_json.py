"""JSON values that know where they stand, so that a complaint can name the place."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass


class ShapeError(Exception):
    """What is wrong in a document, and at which place: a JSON path, or line and column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One value of a document. Every method raises ShapeError where the value is of another kind."""

    value: object
    where: str
    """As a JSON path: `$["tests"]["test_a"]`."""

    def fields(self) -> dict[str, Place]:
        if isinstance(self.value, _Repeated):
            raise ShapeError(f"{self.where}: the key {self.value.key!r} stands there twice")
        if not isinstance(self.value, dict):
            raise self._wrong("an object")
        return {key: Place(value=value, where=f"{self.where}[{quoted(key)}]") for key, value in self.value.items()}

    def known_fields(self, needed: frozenset[str], optional: frozenset[str] = frozenset()) -> dict[str, Place]:
        fields = self.fields()
        for key in sorted(needed - fields.keys()):
            raise ShapeError(f"{self.where}: {key!r} is missing")
        for key in sorted(fields.keys() - needed - optional):
            raise ShapeError(f"{self.where}: {key!r} means nothing here")
        return fields

    def items(self) -> list[Place]:
        if not isinstance(self.value, list):
            raise self._wrong("a list")
        return [Place(value=value, where=f"{self.where}[{index}]") for index, value in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self._wrong("a string")
        return self.value

    def number(self) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self._wrong("a number")
        try:
            number = float(self.value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._wrong("a finite number")
        return number

    def truth(self) -> bool:
        if not isinstance(self.value, bool):
            raise self._wrong("true or false")
        return self.value

    def _wrong(self, expected: str) -> ShapeError:
        return ShapeError(f"{self.where}: {expected} was expected, not {_shortened(repr(self.value))}")


def decoded(text: str) -> Place:
    """Return the whole document. Raises ShapeError with line and column where it is no JSON."""
    try:
        return Place(value=json.loads(text, object_pairs_hook=_unrepeated), where="$")
    except json.JSONDecodeError as problem:
        raise ShapeError(f"line {problem.lineno}, column {problem.colno}: {problem.msg}") from None
    except (ValueError, RecursionError) as problem:
        raise ShapeError(f"no JSON that can be read: {problem}") from None


def quoted(text: str) -> str:
    """JSON that people can read; a file name that is not Unicode (lone surrogates) is escaped."""
    readable = json.dumps(text, ensure_ascii=False)
    return json.dumps(text) if any("\ud800" <= letter <= "\udfff" for letter in readable) else readable


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repeated:
    """Stands for an object that has a key twice, so that its place can still be named."""

    key: str


def _unrepeated(pairs: list[tuple[str, object]]) -> object:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            return _Repeated(key=key)
        found[key] = value
    return found


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:40] + "..."  # noqa: PLR2004 - a place in a message, not a rule

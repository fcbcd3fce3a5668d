"""What `aiperf.compare` is given as inputs: one batch, or an iterable of batches, with or without labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_aiperf.vocabulary.errors import UsageError

PAIR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Arguments of one call, and what is right for them."""

    inputs: tuple[Any, ...]
    labels: Any | None


def batches(inputs: Any, labels: Any | None) -> Iterator[Batch]:
    """One pass over the inputs.

    An array, a tensor or a mapping is one batch, a tuple the positional arguments of one. Everything else that
    iterates (a list, a `DataLoader`) is batches; without `labels`, those that are pairs are inputs and labels. With
    `labels`, they are one array for all examples in order, or as many as there are batches.
    Raises UsageError for what is none of these, and for labels that do not match.
    """
    if isinstance(inputs, (tuple, Mapping)) or hasattr(inputs, "shape"):
        yield Batch(inputs=_arguments(inputs), labels=labels)
        return
    if not isinstance(inputs, Iterable) or isinstance(inputs, (str, bytes)):
        raise UsageError(
            f"aiperf.compare: inputs is a {type(inputs).__name__}: pass an array, a dict, or batches of them"
        )
    given = _Labels(labels)
    seen = 0
    for item in inputs:
        seen += 1
        if labels is None and isinstance(item, (tuple, list)) and len(item) == PAIR:
            yield Batch(inputs=_arguments(item[0]), labels=item[1])
        else:
            arguments = _arguments(item)
            yield Batch(inputs=arguments, labels=given.next(examples(arguments)))
    if not seen:
        raise UsageError("aiperf.compare: inputs has no batches; a comparison of nothing is not a pass")
    given.check_spent()


def examples(arguments: tuple[Any, ...]) -> int | None:
    """How many examples a batch has: the leading dimension of its first array; None where it has none."""
    first = arguments[0] if arguments else None
    if isinstance(first, Mapping):
        first = next(iter(first.values()), None)
    shape = getattr(first, "shape", None)
    return int(shape[0]) if shape is not None and len(shape) else None


def items_of(arguments: tuple[Any, ...]) -> int:
    """How many items one call processes: the leading dimension of an array with more than one; else one."""
    first = arguments[0] if arguments else None
    if isinstance(first, dict) and first:
        first = next(iter(first.values()))
    shape = getattr(first, "shape", None)
    return int(shape[0]) if shape is not None and len(shape) > 1 and int(shape[0]) > 0 else 1


def _arguments(item: Any) -> tuple[Any, ...]:
    return tuple(item) if isinstance(item, (tuple, list)) else (item,)


class _Labels:
    """Hands out the labels of each batch."""

    def __init__(self, labels: Any | None) -> None:
        self.labels = labels
        self.place = 0

    def next(self, count: int | None) -> Any | None:
        if self.labels is None:
            return None
        if hasattr(self.labels, "shape"):
            if count is None:
                raise UsageError("aiperf.compare: a batch without a leading dimension: give labels batch by batch")
            part = self.labels[self.place : self.place + count]
            self.place += count
            return part
        if self.place >= len(self.labels):
            raise UsageError(f"aiperf.compare: labels has {len(self.labels)} batches, inputs more")
        self.place += 1
        return self.labels[self.place - 1]

    def check_spent(self) -> None:
        """Raise UsageError where labels are left over, or were too few."""
        if self.labels is not None and self.place != len(self.labels):
            kind = "examples" if hasattr(self.labels, "shape") else "batches"
            raise UsageError(f"aiperf.compare: labels has {len(self.labels)} {kind}, inputs {self.place}")

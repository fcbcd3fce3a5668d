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
    seen, place = False, 0
    for item in inputs:
        seen = True
        if labels is None and isinstance(item, (tuple, list)) and len(item) == PAIR:
            yield Batch(inputs=_arguments(item[0]), labels=item[1])
        else:
            arguments = _arguments(item)
            part, place = _labels_of(arguments, labels, place)
            yield Batch(inputs=arguments, labels=part)
    if not seen:
        raise UsageError("aiperf.compare: inputs has no batches; a comparison of nothing is not a pass")
    if labels is not None and place != len(labels):
        kind = "examples" if hasattr(labels, "shape") else "batches"
        raise UsageError(f"aiperf.compare: labels has {len(labels)} {kind}, inputs {place}")


def _labels_of(arguments: tuple[Any, ...], labels: Any, place: int) -> tuple[Any, int]:
    """The labels of one batch, which begin at a place, and where those of the next do."""
    if labels is None:
        return None, place
    if not hasattr(labels, "shape"):
        if place >= len(labels):
            raise UsageError(f"aiperf.compare: labels has {len(labels)} batches, inputs more")
        return labels[place], place + 1
    if (count := examples(arguments)) is None:
        raise UsageError("aiperf.compare: a batch without a leading dimension: give labels batch by batch")
    return labels[place : place + count], place + count


def examples(arguments: tuple[Any, ...]) -> int | None:
    """How many examples a batch has: the leading dimension of its first array; None where it has none."""
    shape = _shape(arguments)
    return int(shape[0]) if shape else None


def items_of(arguments: tuple[Any, ...]) -> int:
    """How many items one call processes: the leading dimension of an array with more than one; else one."""
    shape = _shape(arguments)
    return max(1, int(shape[0])) if len(shape) > 1 else 1


def _shape(arguments: tuple[Any, ...]) -> tuple[int, ...]:
    """Of the first array; empty where it has none."""
    first = arguments[0] if arguments else None
    if isinstance(first, Mapping):
        first = next(iter(first.values()), None)
    return tuple(getattr(first, "shape", None) or ())


def _arguments(item: Any) -> tuple[Any, ...]:
    return tuple(item) if isinstance(item, (tuple, list)) else (item,)

"""What a run and its fresh processes say to each other, one line of JSON per message."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.orders import Order
from pytest_aiperf.vocabulary.records import Measurement
from pytest_aiperf.vocabulary.terms import Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What one fresh process does, test after test."""

    orders: tuple[Order, ...]
    watched: tuple[str, ...] = ()
    """Folders whose files, where this process reads any, are evidence of whose code it ran."""
    scratch: str = ""
    """A folder of this process alone, removed after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Make the first calls of the measurement where you stand; answered by `Warm`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeTurn:
    """Time one turn; answered by `TimedTurn`."""

    calls: int
    batch: int
    """Calls that are timed together."""
    kind: Turns


@dataclass(frozen=True, slots=True, kw_only=True)
class GoOn:
    """No more turns here, or none at all: go on to the next measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """Where the process is in its life."""

    phase: str
    test: str | None = None
    """Named where a test begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """The process waits where a measurement begins."""

    test: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """What a warmed-up side says of itself."""

    seconds: float
    """Of one call."""
    queues: bool
    """Whether a device runs calls behind the processor's back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedTurn:
    """What one turn saw."""

    values: Mapping[str, tuple[float, ...]]
    """Metric -> one value per call, burst or pass, in its base unit."""
    elapsed: float
    """Seconds of the whole turn."""
    foreign: float | None
    """Processor seconds that other processes used meanwhile; None where unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Why a test gives nothing, or not all."""

    test: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a test saw."""

    measurements: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesRead:
    """Files below the watched folders that the process read."""

    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Nothing more comes."""


Request = Orders | WarmUp | TakeTurn | GoOn
"""From the parent."""
Answer = Doing | At | Warm | TimedTurn | Failed | Measured | FilesRead | Finished
"""From the child."""

_KINDS: dict[str, type] = {kind.__name__: kind for kind in (*typing.get_args(Request), *typing.get_args(Answer))}


def encode(message: Request | Answer) -> bytes:
    """One line. Raises CodecError for text that is not Unicode."""
    return codec.encode({type(message).__name__: message}) + b"\n"


def decode_request(line: bytes) -> Request:
    """What the parent said. Raises CodecError."""
    request: Request = codec.decode_tagged(line, _KINDS)
    return request


def decode_answer(line: bytes) -> Answer:
    """What the child said. Raises CodecError."""
    answer: Answer = codec.decode_tagged(line, _KINDS)
    return answer

"""What an xdist controller and its workers tell each other: the keys stand here and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_aiperf.baselines.unused import Collected

_INVOCATION = "aiperf_invocation"
_COLLECTED, _MISTAKES, _NOTES = "aiperf_collected", "aiperf_mistakes", "aiperf_notes"


def is_worker(config: pytest.Config) -> bool:
    """Whether this process has a controller."""
    return hasattr(config, "workerinput")


def tell_worker(node: Any, config: pytest.Config) -> None:
    """How this pytest was called: a worker's own fresh processes need it."""
    arguments, directory = invocation(config)
    node.workerinput[_INVOCATION] = [*arguments], str(directory)


def invocation(config: pytest.Config) -> tuple[Sequence[str], Path]:
    """Arguments and directory of the user's call: in a worker as its controller has passed them on."""
    called = [str(argument) for argument in config.invocation_params.args], config.invocation_params.dir
    arguments, directory = getattr(config, "workerinput", {}).get(_INVOCATION, called)
    return arguments, Path(directory)


class ToController:
    """What a worker has to say; its controller hears it when the worker goes down."""

    def __init__(self, config: pytest.Config) -> None:
        self._output: dict[str, Any] = config.workeroutput  # type: ignore[attr-defined]

    def take_collected(self, collected: Collected) -> None:
        """What pytest found. As text: node ids may hold bytes that no channel takes."""
        self._output[_COLLECTED] = json.dumps(asdict(collected))

    def take_mistakes(self, mistakes: Sequence[str]) -> None:
        """Those in markers: they end the run."""
        self._output[_MISTAKES] = list(mistakes)

    def note(self, text: str) -> None:
        """Something that is in no figure."""
        self._output.setdefault(_NOTES, []).append(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class FromWorker:
    """What a worker has said."""

    collected: Collected | None
    mistakes: Sequence[str]
    notes: Sequence[str]


def from_worker(node: Any) -> FromWorker:
    """Of a worker that went down; one that crashed has said nothing."""
    output = getattr(node, "workeroutput", {})
    return FromWorker(
        collected=Collected(**json.loads(output[_COLLECTED])) if _COLLECTED in output else None,
        mistakes=output.get(_MISTAKES, ()),
        notes=output.get(_NOTES, ()),
    )

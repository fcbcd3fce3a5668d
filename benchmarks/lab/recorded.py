"""What the recorder wrote, read back."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.lab.rules import Session
from pytest_aiperf.judging.block_differences import ESTIMATOR, TYPICAL, differences
from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.pairing import Block


@dataclass(slots=True)
class Recorded:
    """Everything of one purpose."""

    pairs: dict[tuple[str, str, str], list[tuple[float, float]]] = field(default_factory=dict)
    """(State, workload, injected) -> log-differences of undisturbed pairs: of the quiet calls, of the typical ones."""
    pair_seconds: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)
    """(State, workload, process) -> seconds of each pair."""
    blocks: dict[tuple[str, str, str, str], list[Block]] = field(default_factory=dict)
    """(State, workload, injected, process) -> undisturbed blocks."""
    disturbed: dict[str, list[bool]] = field(default_factory=dict)
    """State -> whether each block was disturbed."""
    sessions: dict[tuple[str, str, str], list[Session]] = field(default_factory=dict)
    """(Tool, state, workload) -> sessions."""
    live: list[dict[str, object]] = field(default_factory=list)
    loads: dict[tuple[str, str], list[dict[str, dict[str, float]]]] = field(default_factory=dict)
    """(Test, injected) -> side -> metric -> value, of each pair of fresh loads."""


def read(files: Sequence[Path], *, purpose: str) -> Recorded:
    """All rows of one purpose in some files."""
    found = Recorded()
    for row in (row for file in files for row in _rows(file) if row["purpose"] == purpose):
        if row["kind"] == "load":
            key = (row.get("workload", "test_load"), row.get("inject", "none"))
            found.loads.setdefault(key, []).append(row["sides"])
            continue
        state, workload, inject = row["state"], row["workload"], row["inject"]
        if row["kind"] == "live":
            found.live.append(row)
        elif row["kind"] == "session":
            found.sessions.setdefault((row["tool"], state, workload), []).append(_session(row))
        else:
            block = codec.decode(json.dumps(row["block"]).encode(), Block, written_in=1)
            process = row.get("process", "default")
            found.disturbed.setdefault(state, []).append(bool(block.disturbances))
            if inject == "none":
                found.pair_seconds.setdefault((state, workload, process), []).append(row["seconds"])
            if process == "default":
                quiet, typical = (differences([block], "latency", share=share) for share in (ESTIMATOR, TYPICAL))
                found.pairs.setdefault((state, workload, inject), []).extend(zip(quiet, typical, strict=True))
            if not block.disturbances:
                found.blocks.setdefault((state, workload, inject, process), []).append(block)
    return found


def _session(row: dict) -> Session:  # type: ignore[type-arg]
    return Session(
        values=tuple(row["values"]),
        minimum=row["minimum"],
        mean=row["mean"],
        median=row["median"],
        seconds=row["seconds"],
    )


def _rows(file: Path) -> Iterator[dict]:  # type: ignore[type-arg]
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def spread(logs: Sequence[float]) -> float:
    """Standard deviation."""
    return float(np.std(logs, ddof=1)) if len(logs) > 1 else float("nan")

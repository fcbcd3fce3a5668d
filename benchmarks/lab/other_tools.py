"""Sessions of pytest-benchmark and pytest-codspeed on the same workloads: a fresh process each, with their defaults."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

HERE = Path(__file__).parent
PROJECT = HERE / "project"
MOST_ROUNDS = 300


class Log:
    """One JSON object per line, compressed; appended, so that a cut session keeps what it has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, **row: object) -> None:
        with gzip.open(self.path, "at", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")


def workload_of(test: str) -> str:
    """Of `test_workload[cnn_b1]`: `cnn_b1`."""
    return test.rpartition("[")[2].rstrip("]")


def rounded(values: Sequence[float]) -> tuple[float, ...]:
    """Four digits: what the clock and the machine are worth, in half the space."""
    return tuple(float(f"{value:.4g}") for value in values)


def record_sessions(options: argparse.Namespace, log: Log) -> None:
    """Sessions of another tool, one fresh process each, with its defaults."""
    for number in range(options.first, options.first + options.sessions):
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            rounds = {"pytest-benchmark": _pytest_benchmark, "pytest-codspeed": _pytest_codspeed}[options.tool](
                Path(folder)
            )
            seconds = (time.monotonic() - began) / max(1, len(rounds))
        for workload, values in rounds.items():
            log.write(
                kind="session",
                tool=options.tool,
                state=options.state,
                purpose=options.purpose,
                session=number,
                workload=workload,
                inject="none",
                seconds=seconds,
                values=_thinned(values),
                minimum=min(values),
                mean=fmean(values),
                median=median(values),
                calls=len(values),
            )


def _pytest_benchmark(folder: Path) -> dict[str, list[float]]:
    file = folder / "out.json"
    _run("--benchmark-json", str(file), "-p", "no:codspeed")
    benchmarks = json.loads(file.read_text())["benchmarks"]
    return {workload_of(entry["name"]): entry["stats"]["data"] for entry in benchmarks}


def _pytest_codspeed(folder: Path) -> dict[str, list[float]]:
    """Codspeed keeps no single rounds: its mean, minimum, quartiles and maximum stand for them."""
    environ = {**os.environ, "CODSPEED_PROFILE_FOLDER": str(folder)}
    _run("--codspeed", "--codspeed-mode=walltime", "-p", "no:benchmark", environ=environ)
    (file,) = folder.glob("results/*.json")
    benchmarks = json.loads(file.read_text())["benchmarks"]
    return {
        workload_of(entry["name"]): [
            entry["stats"][name] * 1e-9 for name in ("min_ns", "q1_ns", "median_ns", "q3_ns", "mean_ns")
        ]
        for entry in benchmarks
    }


def _run(*arguments: str, environ: Mapping[str, str] | None = None) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "bench_workloads.py", *arguments]
    subprocess.run(command, cwd=PROJECT, env=environ, check=True, stdout=subprocess.DEVNULL)


def _thinned(values: Sequence[float]) -> tuple[float, ...]:
    """At most 300 of the rounds, drawn at random: tests on ranks would take them for more than they are worth."""
    kept = values if len(values) <= MOST_ROUNDS else random.Random(0).sample(list(values), MOST_ROUNDS)  # noqa: S311
    return rounded(kept)

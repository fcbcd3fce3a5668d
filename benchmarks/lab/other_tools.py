"""Sessions of pytest-benchmark, pytest-codspeed and asv on the same workloads: fresh processes, with their defaults."""

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
            rounds = TOOLS[options.tool](Path(folder))
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


def _asv(folder: Path) -> dict[str, list[float]]:
    """One of the two rounds that asv runs of each commit: ten samples of a fresh process per workload."""
    from asv.results import Results

    (folder / "benchmarks").mkdir()
    for name in ("asv_workloads.py", "__init__.py"):
        (folder / "benchmarks" / name).write_text((PROJECT / name).read_text() if name.startswith("asv") else "")
    configuration = {"version": 1, "project": "lab", "repo": ".", "environment_type": "existing", "branches": ["main"]}
    (folder / "asv.conf.json").write_text(json.dumps(configuration))
    for command in (
        ["git", "init", "-q", "-b", "main"],
        ["git", "-c", "user.name=lab", "-c", "user.email=lab@example.org", "commit", "-q", "--allow-empty", "-m", "a"],
        [sys.executable, "-m", "asv", "machine", "--yes", "--machine", "lab"],
        [sys.executable, "-m", "asv", "run", f"--environment=existing:{sys.executable}", "--set-commit-hash=HEAD",
         "--machine=lab", "--record-samples", "--attribute", "rounds=1"],
    ):  # fmt: skip
        environ = {**os.environ, "ASV_PYTHONPATH": str(PROJECT)}
        subprocess.run(command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)
    (file,) = (folder / "results" / "lab").glob("*-existing*.json")
    results = Results.load(str(file))
    (key,) = results.get_all_result_keys()
    params = results.get_result_params(key)
    samples = results.get_result_samples(key, params)
    return {name.strip("'"): values for name, values in zip(params[0], samples, strict=True)}


TOOLS = {"pytest-benchmark": _pytest_benchmark, "pytest-codspeed": _pytest_codspeed, "asv": _asv}


def _run(*arguments: str, environ: Mapping[str, str] | None = None) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "bench_workloads.py", *arguments]
    subprocess.run(command, cwd=PROJECT, env=environ, check=True, stdout=subprocess.DEVNULL)


def _thinned(values: Sequence[float]) -> tuple[float, ...]:
    """At most 300 of the rounds, drawn at random: tests on ranks would take them for more than they are worth."""
    kept = values if len(values) <= MOST_ROUNDS else random.Random(0).sample(list(values), MOST_ROUNDS)  # noqa: S311
    return rounded(kept)

"""Holds the plugin's figures against known truths: times within 2 %, memory within 1 MiB; exit 1 where one is outside.

python benchmarks/ground_truth/run.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
MIB = 1024**2
TIME_SHARE = 0.02
MEMORY_BYTES = MIB

Row = tuple[str, float, float, bool]


def main() -> int:
    """Measure, compare, print and store a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE.parent / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ground-truth-") as scratch:
        folder = Path(scratch)
        run = measure(folder)
        rows = [*times(run, folder), *memory(run), *together(run), *loads(run, folder)]
    text = table(rows, run)
    print(text)
    machine = run["environment"]["key"]
    options.out.mkdir(exist_ok=True)
    path = options.out / f"ground-truth-{machine}-{dt.datetime.now(dt.timezone.utc):%Y-%m-%d}.md"
    path.write_text(text + "\n", encoding="utf-8")
    return 0 if all(within for *_, within in rows) else 1


def measure(folder: Path) -> dict[str, Any]:
    """Run the project once with the plugin, as a user would; its whole run comes back."""
    shutil.copy(HERE / "project.py", folder / "test_ground_truth.py")
    for mib in (1, 10, 64, 100, 1000):
        (folder / f"{mib}.bin").write_bytes(os.urandom(MIB) * mib)
    command = [sys.executable, "-m", "pytest", "-q", "--aiperf-update", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "TMPDIR": str(folder)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return json.loads((folder / ".aiperf" / "last.json").read_text(encoding="utf-8"))


def samples(run: dict[str, Any], test: str, metric: str, origin: str) -> list[dict[str, Any]]:
    """The samples of one metric of one test."""
    (result,) = [entry for entry in run["results"] if entry["test"].endswith(f"::{test}")]
    (measurement,) = result["measurements"]
    return [entry for entry in measurement["samples"] if (entry["metric"], entry["origin"]) == (metric, origin)]


def value(run: dict[str, Any], test: str, metric: str, origin: str) -> float:
    """The median of those samples' values."""
    return median(number for entry in samples(run, test, metric, origin) for number in entry["values"])


def truth(folder: Path, name: str) -> list[tuple[int, float]]:
    """What a callable wrote of itself: process and seconds."""
    lines = (folder / f"{name}.truth").read_text(encoding="utf-8").splitlines()
    return [(int(line.split()[0]), float(line.split()[1])) for line in lines]


def times(run: dict[str, Any], folder: Path) -> Iterator[Row]:
    """Latency of spins and sleeps."""
    for ms in (1, 2, 5, 20, 100):
        yield timed(f"spin {ms} ms", ms / 1e3, value(run, f"test_spin[{ms}]", "latency", "in_process"))
    for ms in (1, 2, 5, 20, 100):
        (_, own), *_ = truth(folder, f"sleep-{ms}")
        yield timed(f"sleep {ms} ms (own clock)", own, value(run, f"test_sleep[{ms}]", "latency", "in_process"))
    (_, own), *_ = truth(folder, "async-20")
    yield timed("async sleep 20 ms (own clock)", own, value(run, "test_async_sleep", "latency", "in_process"))


def timed(name: str, expected: float, seen: float) -> Row:
    """A row of times, shown in ms."""
    return f"{name}, ms", expected * 1e3, seen * 1e3, abs(seen / expected - 1) <= TIME_SHARE


def memory(run: dict[str, Any]) -> Iterator[Row]:
    """Peak of anonymous memory, from fresh processes."""
    for kind in ("numpy", "bytes", "torch", "freed", "thread"):
        for mib in (1, 10, 100, 1000):
            yield weighed(f"{kind} {mib} MiB", mib, value(run, f"test_memory[{kind}-{mib}]", "ram", "fresh"))
    smallest = value(run, "test_mmap[1]", "ram_file", "fresh")
    for mib in (1, 10, 100, 1000):
        yield weighed(f"mmap of a file of {mib} MiB: anonymous", 0, value(run, f"test_mmap[{mib}]", "ram", "fresh"))
    for mib in (10, 100, 1000):
        mapped = value(run, f"test_mmap[{mib}]", "ram_file", "fresh") - smallest
        yield weighed(f"mmap of a file of {mib} MiB: mapped, more than of 1 MiB", mib - 1, mapped)
    yield weighed("session fixture of 100 MiB", 100, value(run, "test_fixture", "ram", "fresh"))


def together(run: dict[str, Any]) -> Iterator[Row]:
    """Two models in one process: 100 and 50 MiB of weights, 60 and 30 MiB while they are called."""
    yield weighed("two models together: joint peak", 210, value(run, "test_concurrent", "ram", "fresh"))
    alone = samples(run, "test_concurrent", "alone", "fresh")
    for name, expected in (("first", 160), ("second", 80)):
        (seen,) = [entry["values"][0] for entry in alone if entry["member"] == name]
        yield weighed(f"the {name} alone: peak", expected, seen)
    yield weighed("loaded the other way round", 210, value(run, "test_concurrent", "reversed", "fresh"))
    yield weighed("kept after del", 0, value(run, "test_concurrent", "kept", "fresh"))


def weighed(name: str, expected: float, seen: float) -> Row:
    """A row of memory, shown in MiB."""
    return f"{name}, MiB", expected, seen / MIB, abs(seen - expected * MIB) <= MEMORY_BYTES


def loads(run: dict[str, Any], folder: Path) -> Iterator[Row]:
    """A loader that reads 64 MiB and spins 50 ms, cold and warm: held against its own clock, process by process."""
    own = [seconds for _, seconds in truth(folder, "load")]
    seen = {cache: samples(run, "test_load", f"load_{cache}", "fresh") for cache in ("cold", "warm")}
    for position, cache in enumerate(("cold", "warm")):
        expected = median(own[position : 2 * len(seen[cache]) : 2])
        yield timed(
            f"load of 64 MiB and 50 ms, {cache} (own clock)",
            expected,
            value(run, "test_load", f"load_{cache}", "fresh"),
        )


def table(rows: list[Row], run: dict[str, Any]) -> str:
    """Markdown."""
    details = run["environment"]["details"]
    lines = [
        f"# Ground truth on {run['environment']['key']}, {run['started_at']}",
        "",
        "Load average at the start: "
        + details.get("load average", "unknown")
        + ". Bounds: 2 % of a time, 1 MiB of memory.",
        "",
        "| what | truth | measured | difference | within |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for name, expected, seen, within in rows:
        difference = f"{(seen / expected - 1) * 100:+.2f} %" if name.endswith("ms") else f"{seen - expected:+.3f} MiB"
        lines.append(f"| {name} | {expected:.3f} | {seen:.3f} | {difference} | {'yes' if within else '**no**'} |")
    return "\n".join([*lines, "", f"{sum(row[-1] for row in rows)} of {len(rows)} within their bounds."])


if __name__ == "__main__":
    sys.exit(main())

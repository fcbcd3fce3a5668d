"""What the plugin costs: per call beside timeit, pytest-benchmark and pytest-codspeed; at import; in an idle pytest.

    python benchmarks/overhead/run.py [--out FOLDER]

Everything is measured side by side in one run; figures of another machine or day compare as ratios only.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import timeit
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
SECONDS = {"empty": 0.0, "1 us": 1e-6, "100 us": 1e-4, "5 ms": 5e-3}
ROUNDS = 15

WORK = """
import time
def work(seconds):
    if not seconds:
        return lambda: None
    def spin():
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass
    return spin
"""
TEST = (
    WORK
    + """
import pytest
@pytest.mark.parametrize("seconds", {seconds})
def test_it({fixture}, seconds):
    {call}(work(seconds))
"""
)


def main() -> int:
    """Measure, print and store a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE.parent / "results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="overhead-") as scratch:
        text = report(Path(scratch))
    print(text)
    options.out.mkdir(exist_ok=True)
    day = dt.datetime.now(dt.timezone.utc)
    (options.out / f"overhead-{machine()}-{day:%Y-%m-%d}.md").write_text(text + "\n", encoding="utf-8")
    return 0


def machine() -> str:
    """The machine class, as baselines name it."""
    from pytest_aiperf import wiring
    from pytest_aiperf.machine import environment

    return environment.describe(name=None, accelerators=(), distributions=wiring.distributions()).key


def report(folder: Path) -> str:
    """All tables as Markdown."""
    names = list(SECONDS)
    columns = {"timeit": by_timeit(), "pytest-aiperf": by_aiperf(folder)}
    if importlib.util.find_spec("pytest_benchmark"):
        columns["pytest-benchmark"] = by_pytest_benchmark(folder)
    if importlib.util.find_spec("pytest_codspeed"):
        columns["pytest-codspeed"] = by_codspeed(folder)
    lines = [
        f"# Overhead on {machine()}, {dt.datetime.now(dt.timezone.utc):%Y-%m-%d}",
        "",
        "Median time per call as each tool reports it, in us, and wall-clock seconds of the whole pytest run of",
        f"these four tests with the tool's defaults. Load average at the start: {os.getloadavg()[0]:.2f}.",
        "",
        f"| tool | {' | '.join(names)} | seconds |",
        f"| --- |{' ---: |' * (len(names) + 1)}",
    ]
    for tool, (medians, wall) in columns.items():
        shown = " | ".join(f"{medians[name] * 1e6:.3f}" for name in names)
        lines.append(f"| {tool} | {shown} | {'' if wall is None else f'{wall:.1f}'} |")
    with_plugin, without = idle(folder)
    lines += [
        "",
        f"Importing the plugin in a process that has pytest: {import_ms():.2f} ms (best of {ROUNDS}; goal: under 5).",
        f"An idle pytest takes {with_plugin / without:.3f} times as long with the plugin as without (median).",
    ]
    return "\n".join(lines)


def by_timeit() -> tuple[dict[str, float], float | None]:
    """The yardstick."""
    space: dict[str, object] = {}
    exec(WORK, space)  # noqa: S102 - the very same text that the other tools get
    medians = {}
    for name, seconds in SECONDS.items():
        timer = timeit.Timer(space["work"](seconds))  # type: ignore[operator]
        number, _ = timer.autorange()
        medians[name] = median(timer.repeat(7, number)) / number
    return medians, None


def run(folder: Path, fixture: str, call: str, *arguments: str) -> float:
    """Seconds of one pytest run over the four tests."""
    source = TEST.format(fixture=fixture, call=call, seconds=list(SECONDS.values()))
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore", *arguments]
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "TMPDIR": str(folder)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - start


def by_aiperf(folder: Path) -> tuple[dict[str, float], float | None]:
    """This plugin."""
    wall = run(folder, "aiperf", "aiperf.call", "--aiperf")
    results = json.loads((folder / ".aiperf" / "last.json").read_text(encoding="utf-8"))["results"]
    samples = [entry["measurements"][0]["samples"] for entry in results]
    latencies = [next(sample["values"] for sample in group if sample["metric"] == "latency") for group in samples]
    return dict(zip(SECONDS, map(median, latencies), strict=True)), wall


def by_pytest_benchmark(folder: Path) -> tuple[dict[str, float], float | None]:
    """pytest-benchmark with its defaults."""
    out = folder / "benchmark.json"
    wall = run(folder, "benchmark", "benchmark", "-p", "no:codspeed", f"--benchmark-json={out}")
    stats = json.loads(out.read_text(encoding="utf-8"))["benchmarks"]
    return dict(zip(SECONDS, (entry["stats"]["median"] for entry in stats), strict=True)), wall


def by_codspeed(folder: Path) -> tuple[dict[str, float], float | None]:
    """pytest-codspeed's wall-time mode with its defaults."""
    wall = run(folder, "benchmark", "benchmark", "-p", "no:benchmark", "--codspeed", "--codspeed-mode=walltime")
    (out,) = (folder / ".codspeed").glob("results_*.json")
    stats = json.loads(out.read_text(encoding="utf-8"))["benchmarks"]
    return dict(zip(SECONDS, (entry["stats"]["median_ns"] / 1e9 for entry in stats), strict=True)), wall


def import_ms() -> float:
    """Milliseconds that `pytest_aiperf.plugin` takes beyond pytest itself."""
    command = [sys.executable, "-X", "importtime", "-c", "import pytest, pytest_aiperf.plugin"]
    found = []
    for _ in range(ROUNDS):
        log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        found.append(int(re.findall(r"\|\s*(\d+) \| pytest_aiperf\.plugin", log)[0]) / 1e3)
    return min(found)


def idle(folder: Path) -> tuple[float, float]:
    """Seconds of pytest over one empty test, with and without the plugin, in turns."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    (folder / "test_it.py").write_text("def test_it(): pass\n", encoding="utf-8")
    for _ in range(ROUNDS):
        for plugin in (True, False):
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"] + (
                [] if plugin else ["-p", "no:aiperf"]
            )
            start = time.perf_counter()
            subprocess.run(command, cwd=folder, capture_output=True, check=True)
            seconds[plugin].append(time.perf_counter() - start)
    return median(seconds[True]), median(seconds[False])


if __name__ == "__main__":
    sys.exit(main())

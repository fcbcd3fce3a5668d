"""What pairs cost: one test of a model that loads in two seconds, fifty tests of 20 ms, a clean test.

python benchmarks/pairs_cost/run.py [--out benchmarks/results/pairs-cost-MACHINE-DATE.md]

Each project is a git repository of its own whose last commit changes nothing that is timed: the first look decides.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_aiperf import wiring
from pytest_aiperf.machine import environment

SLOW_LOADER = """
import time

time.sleep(2.0)  # what a large model takes to load

def forward(count):
    total = 0
    for number in range(count):
        total += number & 7
    return total
"""
ONE_TEST = """
import net

def test_forward(aiperf):
    aiperf.call(net.forward, 60_000)
"""
FIFTY_TESTS = """
import time

import net
import pytest

def busy(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        net.forward(100)

@pytest.mark.parametrize("number", range(50))
def test_forward(aiperf, number):
    aiperf.call(busy, 0.020)
"""
CLEAN = """
import net
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_forward({fixture}, number):
    {call}(net.forward, 60_000)
"""
MANY = 10


def git(folder: Path, *arguments: str) -> None:
    """Run git quietly as somebody."""
    command = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.org", *arguments]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def project(folder: Path, tests: str, *, loads: bool) -> Path:
    """A repository whose HEAD and HEAD~1 run the same code."""
    folder.mkdir()
    (folder / "net").mkdir()
    (folder / "net" / "__init__.py").write_text(
        SLOW_LOADER if loads else SLOW_LOADER.replace("time.sleep(2.0)", "pass")
    )
    (folder / "tests").mkdir()
    (folder / "tests" / "test_net.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = tests\naddopts = -p no:asyncio -p no:codspeed\n")
    (folder / ".gitignore").write_text("__pycache__/\n.aiperf/\n")
    git(folder, "init", "-q")
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "commit", "-q", "--allow-empty", "-m", "second")
    return folder


def timed(folder: Path, *arguments: str) -> tuple[float, dict]:  # type: ignore[type-arg]
    """Seconds of one pytest run, and its last result."""
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environ = {**os.environ, "CI": ""}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages come with bytecode
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environ)
    seconds = time.monotonic() - began
    last = folder / ".aiperf" / "last.json"
    return seconds, json.loads(last.read_text()) if last.exists() else {}


def pairs_of(run: dict) -> list[int]:  # type: ignore[type-arg]
    """How many pairs each test took."""
    return [
        len(measurement["pairing"]["blocks"])
        for result in run["results"]
        for measurement in result["measurements"]
        if measurement["pairing"]
    ]


def clean(root: Path, repeats: int) -> list[str]:
    """Whole runs of one and of ten clean tests, ours and pytest-benchmark's in turn, after a first run that stores."""
    lines = []
    best: dict[tuple[str, int], float] = {}
    for tests in (1, MANY):
        made = {
            "ours": CLEAN.format(fixture="aiperf", call="aiperf.call", tests=tests),
            "theirs": CLEAN.format(fixture="benchmark", call="benchmark", tests=tests),
        }
        folders = {name: project(root / f"{name}{tests}", text, loads=False) for name, text in made.items()}
        options = {"ours": ("--aiperf", "--aiperf-inconclusive=warn"), "theirs": ()}
        timed(folders["ours"], "--aiperf", "--aiperf-update")
        for _ in range(repeats):
            for name, folder in folders.items():
                seconds, _ = timed(folder, *options[name])
                best[name, tests] = min(seconds, best.get((name, tests), seconds))
        ours, theirs = best["ours", tests], best["theirs", tests]
        plural = "clean test, whole run" if tests == 1 else "clean tests, whole run"
        lines += [
            f"| {tests} {plural}, `pytest --aiperf`, best of {repeats} | {ours:.2f} | |",
            f"| the same, pytest-benchmark's defaults | {theirs:.2f} | |",
            f"| ratio | {ours / theirs:.2f} | |",
        ]
    each = {name: (best[name, MANY] - best[name, 1]) / (MANY - 1) for name in ("ours", "theirs")}
    lines.append(
        f"| one more clean test: {each['ours']:.2f} against {each['theirs']:.2f} s, ratio | "
        f"{each['ours'] / each['theirs']:.2f} | |"
    )
    return lines


def main() -> None:
    """Print the table; write it where told to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--repeats", type=int, default=3, help="runs of the clean test")
    options = parser.parse_args()
    against = ("--aiperf", "--aiperf-against=HEAD~1", "--aiperf-seconds=0.3")
    lines = ["| what | seconds | pairs per test |", "| --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        one, run = timed(project(root / "one", ONE_TEST, loads=True), *against)
        lines.append(f"| one escalated test, import and load of 2 s, whole run | {one:.0f} | {pairs_of(run)[0]} |")
        fifty, run = timed(project(root / "fifty", FIFTY_TESTS, loads=False), *against)
        counts, spent = pairs_of(run), sum(result["seconds"] for result in run["results"])
        lines.append(f"| 50 escalated tests of 20 ms, whole run | {fifty:.0f} | {min(counts)} to {max(counts)} |")
        lines.append(f"| of which their own measuring and pairs | {spent:.0f} | |")
        lines += clean(root, options.repeats)
    place = environment.describe(name=None, accelerators=(), distributions=wiring.distributions())
    today = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d")
    text = "\n".join([f"# Cost of pairs: {place.key}, {today}", "", *lines]) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

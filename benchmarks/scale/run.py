"""What a suite of many short tests costs: seconds per test, and where they go.

    python benchmarks/scale/run.py [--tests 2000] [--out FOLDER]

Each test times a call of 0.1 ms for 1 ms. The same tests run without measuring, measured, and measured under a profile,
which gives the shares; its own seconds are not shown, because a profile makes everything slower.
"""

from __future__ import annotations

import argparse
import cProfile
import datetime as dt
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
SUITE = """
import time
import pytest

def work():
    end = time.perf_counter() + 1e-4
    while time.perf_counter() < end:
        pass

@pytest.mark.parametrize("number", range({tests}))
def test_it(aiperf, number):
    aiperf.call(work)
"""
QUICK = ("--aiperf", "--aiperf-seconds=0.001", "--aiperf-calls=1")
PROFILED = 500
"""Tests under the profile."""
PARTS = {
    "the calls, warm-ups too": ("measuring/driver.py", "_timed"),
    "reference workload, with a collection before it": ("machine/reference_workload.py", "log_seconds"),
    "garbage, collections of the young included": ("~", "<built-in method gc.collect>"),
    "processor time of others": ("machine/load.py", "_read"),
    "machine-wide lock": ("machine/timing_lock.py", "_acquire_alone"),
    "verdicts": ("session/judgement.py", "decide"),
    "results to and from text": ("vocabulary/codec.py", "encode", "decode"),
    "hash of the test's source": ("session/source_hash.py", "function_source_hash"),
    "markers": ("session/markers.py", "read"),
}
"""What is told of -> the file and functions that do it, all that they call included: parts may overlap."""


def main() -> int:
    """Run the suite three times, print and store a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=HERE.parent / "results")
    parser.add_argument("--profile", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.profile:
        return profiled(*options.profile)
    with tempfile.TemporaryDirectory(prefix="scale-") as scratch:
        text = report(Path(scratch), options.tests)
    print(text)
    day = dt.datetime.now(dt.timezone.utc)
    (options.out / f"scale-{machine()}-{day:%Y-%m-%d}.md").write_text(text + "\n", encoding="utf-8")
    return 0


def machine() -> str:
    """The machine class, as baselines name it."""
    from pytest_aiperf import wiring
    from pytest_aiperf.machine import environment

    return environment.describe(name=None, accelerators=(), distributions=wiring.distributions()).key


def report(folder: Path, tests: int) -> str:
    """All figures as Markdown."""
    before = os.getloadavg()[0]
    plain, quick = run(folder, tests), run(folder, tests, *QUICK)
    after = os.getloadavg()[0]
    lines = [
        f"# {tests} tests of 1 ms on {machine()}, {dt.datetime.now(dt.timezone.utc):%Y-%m-%d}",
        "",
        f"Load average (1 min) on {os.cpu_count()} processors: {before:.1f} before the runs, {after:.1f} after them.",
        "Where it is above 1 others were at work: timings are repeated then, and the wall time says little.",
        "",
        "| run | wall, s | processor, s | wall per test, ms | processor per test, ms |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {wall:.1f} | {busy:.1f} | {1e3 * wall / tests:.1f} | {1e3 * busy / tests:.1f} |"
        for name, (wall, busy) in (("not measured", plain), ("measured", quick))
    ]
    lines += ["", f"Shares of the processor time of {PROFILED} measured tests under a profile (parts may overlap):", ""]
    lines += ["| part | share |", "| --- | ---: |"]
    lines += [f"| {part} | {share:.1%} |" for part, share in shares(folder).items()]
    return "\n".join(lines)


def run(folder: Path, tests: int, *options: str) -> tuple[float, float]:
    """Wall and processor seconds of a whole pytest."""
    suite(folder, tests)
    spent, start = children_seconds(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "pytest", "-q", *options], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start, children_seconds() - spent


def shares(folder: Path) -> Mapping[str, float]:
    """Part -> its share of the run."""
    suite(folder, PROFILED)
    file = folder / "profile"
    subprocess.run(
        [sys.executable, str(HERE / "run.py"), "--profile", str(file), str(folder)],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    stats = pstats.Stats(str(file))
    calls: Mapping[tuple[str, int, str], tuple[int, int, float, float, object]] = stats.stats  # type: ignore[attr-defined]
    whole = sum(own for _, _, own, _, _ in calls.values())
    return {
        part: sum(
            max((told[3] for (path, _, name), told in calls.items() if path.endswith(place) and name == one), default=0)
            for one in functions
        )
        / whole
        for part, (place, *functions) in PARTS.items()
    }


def profiled(file: str, folder: str) -> int:
    """Inside the profiled process."""
    import pytest

    profile = cProfile.Profile(time.process_time)
    profile.enable()
    code = pytest.main(["-q", *QUICK, folder])
    profile.disable()
    profile.dump_stats(file)
    return int(code)


def suite(folder: Path, tests: int) -> None:
    """Write so many tests."""
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n", encoding="utf-8")
    (folder / "test_many.py").write_text(SUITE.format(tests=tests), encoding="utf-8")


def children_seconds() -> float:
    """Processor seconds of all processes that have ended."""
    seen = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seen.ru_utime + seen.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())

"""Load time and peak memory of models in pairs of fresh processes: replayed, and with a known growth or leak.

python -m benchmarks.lab.loads --pairs 40 --out benchmarks/lab/data/loads.jsonl.gz
python -m benchmarks.lab.loads --test test_peak --inject growth:0.06 --pairs 30 --out benchmarks/lab/data/loads.jsonl.gz
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pytest_aiperf.judging.rules.paired import MEMORY_PAIRS
from pytest_aiperf.judging.sequential import LOOKS, decide
from pytest_aiperf.processes.child import Launch, run_test
from pytest_aiperf.vocabulary.orders import Order, Role
from pytest_aiperf.vocabulary.pairing import Arm
from pytest_aiperf.vocabulary.records import Margins
from pytest_aiperf.vocabulary.terms import Cache, Status

Sides = Mapping[str, Mapping[str, float]]
"""Side -> metric -> value."""
PROJECT = Path(__file__).parent / "project"
REPLAYS = 3000
SLOWDOWNS = (0.0, 0.05, 0.10, 0.15, 0.20, 0.30)
GROWTHS = (0, 4, 9, 20)
"""MiB: below 8 nothing is larger, whatever its share."""
MIB = 1024.0**2
NEGLIGIBLE = 8 * MIB


def record(test: str, inject: str, pairs: int, out: Path) -> None:
    """Append pairs: seconds and bytes of both sides, the new one with what is injected."""
    injected = {"LAB_INJECT": inject} if inject != "none" else {}
    launches = {
        arm: Launch(
            arguments=("test_workloads.py", "-p", "no:cacheprovider"),
            directory=PROJECT,
            timeout=120.0,
            quiet_malloc=True,
            environ={**os.environ, **(injected if arm is Arm.CANDIDATE else {})},
        )
        for arm in Arm
    }
    order = Order(test=f"test_workloads.py::{test}", role=Role.MEMORY, load=Cache.WARM)
    for _ in range(pairs):
        row: dict[str, dict[str, float]] = {}
        for arm in random.sample(list(Arm), 2):
            report = run_test(launches[arm], order)
            samples = [sample for measurement in report.measurements for sample in measurement.samples]
            row["old" if arm is Arm.REFERENCE else "new"] = {
                sample.metric: sample.values[0] for sample in samples if sample.values
            }
        with gzip.open(out, "at", encoding="utf-8") as stream:
            told = {"kind": "load", "purpose": "evaluation", "workload": test, "inject": inject}
            stream.write(json.dumps({**told, "sides": row}) + "\n")


def load_power(logs: np.ndarray, slowdown: float, draw: np.random.Generator) -> dict[Status, float]:
    """Answers on replayed loads: 24 recorded differences, in random order, shifted."""
    margins = Margins()
    said = [
        decide(
            list(draw.choice(logs, LOOKS[-1], replace=len(logs) < LOOKS[-1]) + math.log1p(slowdown)),
            tolerance=margins.load_tolerance,
            most=margins.max_load_slowdown,
        )[0]
        for _ in range(REPLAYS)
    ]
    return {answer: said.count(answer) / REPLAYS for answer in Status}


def memory_alarms(old: np.ndarray, new: np.ndarray, growth: float, draw: np.random.Generator) -> float:
    """Share of replays of five pairs in which every new peak, `growth` bytes larger, is above every old one."""
    alarms = 0
    for _ in range(REPLAYS):
        drawn = draw.choice(len(old), MEMORY_PAIRS, replace=False)
        alarms += is_larger(old[drawn], new[drawn] + growth)
    return alarms / REPLAYS


def is_larger(before: np.ndarray, after: np.ndarray) -> bool:
    """The plugin's rule on five pairs."""
    grown = np.median(after) - np.median(before)
    enough = grown > max(Margins().max_memory_growth * np.median(before), NEGLIGIBLE)
    return bool(after.min() > before.max() and enough)


def text(loads: Mapping[tuple[str, str], Sequence[Sides]]) -> str:
    """Of (test, injected): a model's loads, replayed, and live verdicts on peaks; empty where nothing was recorded."""
    return "\n".join(filter(None, (_of_loads(loads.get(("test_load", "none"), ())), _of_peaks(loads))))


def _of_peaks(loads: Mapping[tuple[str, str], Sequence[Sides]]) -> str:
    """Each verdict rests on five recorded pairs that no other has."""
    kinds = sorted(key for key in loads if key[0] == "test_peak")
    if not kinds:
        return ""
    lines = [
        "## Peak memory of a model of 200 MiB, live: five fresh pairs a verdict",
        "",
        "A leak shows in the peak of one call only by what that call keeps; a test of leaks makes many calls.",
        "",
        "| injected | verdicts | larger | old, MiB | new, MiB |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind in kinds:
        old, new = (np.array([row[arm]["ram"] for row in loads[kind]]) for arm in ("old", "new"))
        starts = range(0, len(old) - MEMORY_PAIRS + 1, MEMORY_PAIRS)
        larger = [is_larger(old[start : start + MEMORY_PAIRS], new[start : start + MEMORY_PAIRS]) for start in starts]
        middles = f"{np.median(old) / MIB:.1f} | {np.median(new) / MIB:.1f}"
        lines.append(f"| {kind[1]} | {len(larger)} | {sum(larger)} | {middles} |")
    return "\n".join(lines) + "\n"


def _of_loads(rows: Sequence[Sides]) -> str:
    if not rows:
        return ""
    seconds = {arm: np.array([row[arm]["load_warm"] for row in rows]) for arm in ("old", "new")}
    peaks = {arm: np.array([row[arm]["ram"] for row in rows]) for arm in ("old", "new")}
    logs = np.log(seconds["new"] / seconds["old"])
    draw = np.random.default_rng(1)
    low, middle, high = (value / MIB for value in np.quantile(peaks["old"], (0, 0.5, 1)))
    spread = f"sd of a pair's log-ratio {logs.std(ddof=1):.2%}; peak {middle:.1f} MiB, from {low:.1f} to {high:.1f}"
    lines = [
        "## A model load (ONNX Runtime, its import inside the loader), and its peak memory",
        "",
        f"{len(rows)} pairs of fresh processes: {np.median(seconds['old']):.3f} s, {spread}.",
        "",
        "| injected into the load (replayed) | regressed | passed | improved | open |",
        "| --- | --- | --- | --- | --- |",
    ]
    for slowdown in SLOWDOWNS:
        said = load_power(logs, slowdown, draw)
        order = (Status.REGRESSED, Status.PASSED, Status.IMPROVED, Status.INCONCLUSIVE)
        lines.append(f"| {slowdown:.0%} | " + " | ".join(f"{said[answer]:.1%}" for answer in order) + " |")
    lines += ["", "| growth of the peak (replayed) | regressed |", "| --- | --- |"]
    lines += [
        f"| {growth} MiB | {memory_alarms(peaks['old'], peaks['new'], growth * MIB, draw):.1%} |" for growth in GROWTHS
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--test", default="test_load", choices=["test_load", "test_peak"])
    parser.add_argument("--inject", default="none", help="none, growth:0.06, leak:1 (MiB a call)")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    record(options.test, options.inject, options.pairs, options.out)


if __name__ == "__main__":
    main()

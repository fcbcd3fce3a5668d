"""Leaks of known size: how often the rule fails a function that keeps nothing, and finds one that keeps a little.

python benchmarks/leaks/run.py [--runs 1000] [--out benchmarks/results/leaks-MACHINE-DATE.md]

Every run is a real one of 60 + 600 calls in this process; the kinds take turns, so that each finds the heap as the
others left it.
"""

from __future__ import annotations

import argparse
import gc
import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from scipy import special

from pytest_aiperf import wiring
from pytest_aiperf.judging.rules.leak import DEFAULT, Answer, answer_of
from pytest_aiperf.machine.environment import describe
from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.measuring.metrics.leak import LEAK, Soak

KIB = 1024
KEPT = (20, 50, 200)
RUNS_OF_LEAKS = 50
CNN = Path(__file__).parents[2] / "example_project" / "digits_models" / "weights" / "cnn.onnx"


def main() -> None:
    """Write the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=1000)
    arguments.add_argument("--out", type=Path)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    rows = []
    for kept, runs in ((0, options.runs), *((size, RUNS_OF_LEAKS) for size in KEPT)):
        seen: dict[str, Counter[Answer]] = {}
        slopes: dict[str, list[float]] = {}
        for name, call in itertools.islice(itertools.cycle(kinds().items()), runs):
            answer, slope = soaked(call, kept)
            seen.setdefault(name, Counter())[answer] += 1
            slopes.setdefault(name, []).append(slope / KIB)
        rows += [row(kept, name, counts, slopes[name]) for name, counts in seen.items()]
        total: Counter[Answer] = sum(seen.values(), Counter())
        rows.append(row(kept, "**all**", total, [one for some in slopes.values() for one in some]))
    place = describe(name=None, accelerators=(), distributions=wiring.distributions())
    text = "\n".join(
        [
            "# Leaks of known size",
            "",
            f"Machine class `{place.key}`; limit {DEFAULT.bound / KIB:g} KiB per call,",
            "600 calls after 70 in every run, 1,200 more where these leave it open; `benchmarks/leaks/run.py`.",
            "",
            "| kept, KiB | call | runs | leak | open | steady | upper 95 % bound | slopes, KiB per call |",
            "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
            *rows,
        ]
    )
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def row(kept: int, name: str, counts: Counter[Answer], slopes: list[float]) -> str:
    """One line of the table."""
    runs, leaks = sum(counts.values()), counts[Answer.LEAKS]
    bound = 1.0 if leaks == runs else special.betaincinv(leaks + 1, runs - leaks, 0.95)
    return (
        f"| {kept} | {name} | {runs} | {leaks} | {counts[Answer.OPEN]} | {counts[Answer.STEADY]} | {bound:.2%} "
        f"| {min(slopes):.1f} to {max(slopes):.1f} |"
    )


def soaked(call: Callable[[], Any], kept: int) -> tuple[Answer, float]:
    """One run; what leaks is given back behind it."""
    heap: list[np.ndarray] = []

    def leaking() -> None:
        call()
        if kept:
            heap.append(np.ones(kept * KIB // 8))

    tools = wiring.create_tools()
    driver = Driver(leaking, tools)
    answer, slope = _answer(driver, Soak(calls=600))
    if answer is Answer.OPEN:  # as `aiperf.soak` does
        answer, slope = _answer(driver, Soak(calls=1200, warm_ups=0))
    heap.clear()
    gc.collect()
    return answer, slope


def _answer(driver: Driver, soak: Soak) -> tuple[Answer, float]:
    (sample,) = (sample for sample in driver.run((soak,)) if sample.metric == LEAK.name)
    return answer_of(sample.values, DEFAULT.bound, calls=sample.calls_per_value)


def kinds() -> dict[str, Callable[[], Any]]:
    """Calls that take memory and give it back."""
    linear = torch.nn.Linear(256, 256)
    rows = torch.ones(32, 256)
    session = onnxruntime.InferenceSession(str(CNN), providers=["CPUExecutionProvider"])
    (name,) = (one.name for one in session.get_inputs())
    images = np.zeros((16, 1, 8, 8), np.float32)
    words = "a model of words and numbers " * 20

    def tokens() -> int:
        return len({word: len(word) for word in words.split()})

    def infer() -> torch.Tensor:
        with torch.inference_mode():
            return linear(rows)

    return {
        "Python, a dictionary": tokens,
        "numpy, 400 KiB": lambda: np.ones(50_000).sum(),
        "numpy, 8 MiB": lambda: np.ones(1_000_000).sum(),
        "torch, linear": infer,
        "torch, gradients": lambda: linear(rows).sum().backward(),
        "ONNX Runtime, CNN": lambda: session.run(None, {name: images}),
    }


if __name__ == "__main__":
    main()

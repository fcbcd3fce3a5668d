"""Timing on the device: by events beside Triton's own benchmark, the cost of measuring, pairs with a known slowdown."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from benchmarks.gpu.table import Bench, table
from pytest_aiperf.comparing.in_process import interleaved_blocks
from pytest_aiperf.judging.block_differences import answer_of
from pytest_aiperf.judging.rules.speedup import speed_of
from pytest_aiperf.machine.disturbances import MachineWatch
from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.measuring.metrics.device_time import DeviceTime
from pytest_aiperf.measuring.paired_turns import slowed
from pytest_aiperf.vocabulary.pairing import Arm
from pytest_aiperf.vocabulary.records import Margins
from pytest_aiperf.vocabulary.terms import Status

KERNELS = (256, 1024, 4096, 8192)
ROUNDS = 6
REPEATS = 7
"""Of thirty calls each."""


def beside_do_bench(bench: Bench) -> list[str]:
    """Medians of square matrix products, the cache flushed before each in both."""
    if bench.device != "cuda":
        return ["Needs CUDA."]
    from triton.testing import do_bench

    rows = []
    for size in KERNELS:
        a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))

        def call(a: torch.Tensor = a, b: torch.Tensor = b) -> torch.Tensor:
            return a @ b

        ours = by_events(bench, call) * 1e6
        theirs = do_bench(call, warmup=100, rep=500, return_mode="median") * 1e3
        latency = median(bench.latencies(call)) * 1e6
        rows.append([f"{size}", f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs - 1:+.1%}", f"{latency:.1f}"])
    head = ("side, bf16", "events, us", "do_bench, us (flushes L2)", "difference", "latency, host included, us")
    return table(head, rows)


def by_events(bench: Bench, call: Callable[[], Any]) -> float:
    """Median device time as the plugin takes it, with the cache flushed before each call as do_bench does."""
    latency = median(bench.latencies(call))
    times = [
        value
        for _ in range(REPEATS)
        for sample in Driver(call, bench.tools).run((DeviceTime(latency=latency, flush=True),))
        for value in sample.values
    ]
    return median(times)


def overhead(bench: Bench) -> list[str]:
    """Of an empty function, and of the smallest kernel, beside a loop that waits for the device itself."""
    one = torch.ones(1, device=bench.device)

    def kernel() -> torch.Tensor:
        return one + 1

    rows = []
    for name, call in (("nothing", lambda: None), ("one addition", kernel)):
        by_hand = []
        for _ in range(1000):
            bench.wait()
            start = time.perf_counter()
            call()
            bench.wait()
            by_hand.append(time.perf_counter() - start)
        ours = median(bench.latencies(call))
        rows.append([name, f"{ours * 1e6:.2f}", f"{median(by_hand) * 1e6:.2f}"])
    return table(("call", "measured, us", "by hand, us"), rows)


def pairs(bench: Bench) -> list[str]:
    """Turns in one process, as `compare` takes them."""
    size = 256 if bench.small else 4096
    a = torch.randn(size, size, device=bench.device)

    def call() -> torch.Tensor:
        return a @ a

    rows = []
    for slowdown in (0.0, 0.05):
        answers, speeds = [], []
        for number in range(ROUNDS):
            arms = {
                Arm.REFERENCE: slowed(call, 0.0, tools=bench.tools),
                Arm.CANDIDATE: slowed(call, slowdown, tools=bench.tools),
            }
            blocks = interleaved_blocks(
                arms,
                bench.tools,
                margins=Margins(),
                max_seconds=5.0 if bench.small else 10.0,
                machine=MachineWatch(longest_wait=2.0),
                draw=random.Random(number),  # noqa: S311 - an order of turns
            )
            answers.append(answer_of(blocks, "latency", tolerance=0.01, most=0.05)[0])
            speeds.append(speed_of(blocks).speedup)
        counts = ", ".join(f"{answers.count(answer)} {answer.value}" for answer in Status if answer in answers)
        rows.append([f"{slowdown:.0%}", counts, " ".join(f"{1 / speed - 1:+.1%}" for speed in speeds)])
    return table(("injected", "answers", "seen"), rows)

"""Callables of known behaviour, as tests; `run.py` copies this file to test_ground_truth.py and compares."""

from __future__ import annotations

import asyncio
import mmap
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

MIB = 1024**2
HERE = Path(__file__).parent
MILLISECONDS = (1, 2, 5, 20, 100)


def log(name: str, value: float) -> None:
    """Append the truth, as the callable itself sees it."""
    with (HERE / f"{name}.truth").open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()} {value!r}\n")


def spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@pytest.mark.parametrize("ms", MILLISECONDS)
def test_spin(aiperf, ms):
    aiperf.call(spin, ms / 1e3)


@pytest.mark.parametrize("ms", MILLISECONDS)
def test_sleep(aiperf, ms):
    own = []

    def nap() -> None:
        start = time.perf_counter()
        time.sleep(ms / 1e3)
        own.append(time.perf_counter() - start)

    aiperf.call(nap)
    log(f"sleep-{ms}", float(np.median(own)))


def test_async_sleep(aiperf):
    own = []

    async def nap() -> None:
        start = time.perf_counter()
        await asyncio.sleep(0.02)
        own.append(time.perf_counter() - start)

    aiperf.call(nap)
    log("async-20", float(np.median(own)))


def by_numpy(mib: int) -> object:
    return np.ones(mib * MIB, dtype=np.uint8)


def by_bytes(mib: int) -> object:
    return b"x" * (mib * MIB)


def by_torch(mib: int) -> object:
    return torch.ones(mib * MIB, dtype=torch.uint8)


def by_freed(mib: int) -> object:
    by_numpy(mib)
    return None


def by_thread(mib: int) -> object:
    kept: list[object] = []
    thread = threading.Thread(target=lambda: kept.append(by_numpy(mib)))
    thread.start()
    thread.join()
    return kept


def by_mmap(mib: int) -> object:
    with (HERE / f"{mib}.bin").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    assert sum(mapped[:: mmap.PAGESIZE]) >= 0
    return mapped


KINDS = {"numpy": by_numpy, "bytes": by_bytes, "torch": by_torch, "freed": by_freed, "thread": by_thread}


@pytest.mark.aiperf(memory=True, seconds=0.01, calls=5)
@pytest.mark.parametrize("mib", [1, 10, 100, 1000])
@pytest.mark.parametrize("kind", [*KINDS])
def test_memory(aiperf, kind, mib):
    aiperf.call(KINDS[kind], mib)


@pytest.mark.aiperf(memory=True, seconds=0.01, calls=5)
@pytest.mark.parametrize("mib", [1, 10, 100, 1000])
def test_mmap(aiperf, mib):
    aiperf.call(by_mmap, mib)


class Model:
    """Weights of `held` MiB, and a buffer of `working` while it is called."""

    def __init__(self, held: int, working: int) -> None:
        self.weights = by_numpy(held)
        self.working = working

    def __call__(self, _: object) -> int:
        return len(by_numpy(self.working))


def test_concurrent(aiperf):
    aiperf.concurrent({"first": lambda: Model(100, 60), "second": lambda: Model(50, 30)}, None)


@pytest.fixture(scope="session")
def model() -> object:
    return by_numpy(100)


@pytest.mark.aiperf(memory=True, seconds=0.01, calls=5)
def test_fixture(aiperf, model):
    aiperf.call(len, model)


def load(path: str) -> bytes:
    start = time.perf_counter()
    content = Path(path).read_bytes()
    spin(0.05)
    log("load", time.perf_counter() - start)
    return content


@pytest.mark.aiperf(seconds=0.01)
def test_load(aiperf):
    aiperf.load(load, str(HERE / "64.bin"), first=len)

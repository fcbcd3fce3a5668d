"""Tests of a user on the device: what `run.py` shows of the plugin itself. DEVICE says which."""

from __future__ import annotations

import os

import pytest
import torch

DEVICE = os.environ.get("DEVICE", "cpu")
MIB = 1024**2


def load(size: int = 2048) -> torch.nn.Module:
    layers = [torch.nn.Linear(size, size) for _ in range(4)]
    return torch.nn.Sequential(*layers).eval().to(DEVICE)


@pytest.fixture(scope="module")
def batch() -> torch.Tensor:
    return torch.ones(64, 2048, device=DEVICE)


@pytest.mark.max_gpu_mb(500)
@pytest.mark.max_gpu_mb(600, kind="reserved")
@pytest.mark.max_gpu_mb(4000, kind="process")
def test_within_its_limits(aiperf_gpu, aiperf, batch):
    model = aiperf.load(load)
    aiperf.infer(model, batch)


@pytest.mark.max_gpu_mb(10)
def test_over_its_limit(aiperf, batch):
    model = aiperf.load(load)
    aiperf.infer(model, batch)


@pytest.mark.aiperf(flush_l2=True)
def test_with_a_cold_cache(aiperf, batch):
    aiperf.infer(load(), batch)


def test_host_bound(aiperf):
    model = torch.nn.Sequential(*[torch.nn.ReLU() for _ in range(200)]).to(DEVICE)
    aiperf.infer(model, torch.ones(8, device=DEVICE))


def test_compiled(aiperf, batch):
    aiperf.infer(torch.compile(load(), mode="reduce-overhead"), batch)


def test_two_models(aiperf, batch):
    print(aiperf.concurrent({"large": load, "small": lambda: load(1024)}, {"large": batch, "small": batch[:, :1024]}))


@pytest.mark.max_leak_kb(20)
def test_leak(aiperf):
    kept: list[torch.Tensor] = []
    aiperf.soak(lambda: kept.append(torch.ones(MIB // 4, device=DEVICE)), calls=200)


def test_out_of_memory(aiperf):
    aiperf.call(lambda: torch.empty(1 << 48, dtype=torch.uint8, device=DEVICE))


def test_fails_and_lets_go(batch):
    tensor = torch.ones(256 * MIB // 4, device=DEVICE)
    assert tensor.sum() < 0

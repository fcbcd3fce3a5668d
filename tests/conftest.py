"""Fixtures shared by all tests."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["pytester"]

MOST_PROCESSES = 8


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite takes every processor; what somebody names takes none but this process, and starts at once."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_PROCESSES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """GPU tests skip loudly on a machine without one."""
    gpu_tests = [item for item in items if item.get_closest_marker("gpu")]
    if not gpu_tests or _has_gpu():
        return
    for item in gpu_tests:
        item.add_marker(pytest.mark.skip(reason="needs a real GPU: torch.cuda.is_available() is False here"))


def _has_gpu() -> bool:
    try:
        import torch
    except ImportError:
        return False
    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def neutral_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on where the suite runs: under CI, or with options in the environment."""
    for name in list(os.environ):
        if name == "CI" or name.startswith("PYTEST_AIPERF") or name == "PYTEST_ADDOPTS":
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _small_heap() -> None:
    """Collecting, which the measured code does often, need not walk what thousands of tests have left."""
    import gc

    gc.freeze()

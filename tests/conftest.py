"""Fixtures shared by all tests."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


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
    import os

    for name in list(os.environ):
        if name == "CI" or name.startswith("PYTEST_AIPERF") or name == "PYTEST_ADDOPTS":
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _small_heap() -> None:
    """Collecting, which the measured code does often, need not walk what thousands of tests have left."""
    import gc

    gc.freeze()

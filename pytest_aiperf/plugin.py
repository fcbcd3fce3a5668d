"""The door that pytest opens: hooks only, each hands over at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

from pytest_aiperf.session import settings
from pytest_aiperf.vocabulary.channel import WORKER_VARIABLE

if TYPE_CHECKING:
    from pytest_aiperf import Bench

MARKERS = (
    *("max_load_s", "max_latency_ms", "min_throughput", "max_gpu_mb", "max_ram_mb", "max_leak_kb", "max_model_mb"),
    *("min_accuracy", "max_accuracy_drop", "min_speedup", "max_size_ratio", "max_memory_ratio", "min_agreement"),
    *("min_sqnr_db", "max_abs_error", "aiperf"),
)
"""Their names: what `pytest --markers` lists stands at their functions, which no unused plugin imports."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    settings.declare(parser)


@pytest.hookimpl(tryfirst=True)  # a fresh process must not select, distribute or report as its parent does
def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; where this run measures, let the composition root build the rest."""
    lists = config.getoption("markers", False)
    for marker in () if lists else MARKERS:
        config.addinivalue_line("markers", marker)
    channel = os.environ.pop(WORKER_VARIABLE, None)
    measures = channel is not None or settings.is_active(config)
    if not (measures or lists or (settings.needs_every_marker(config) and entry_points(group="pytest_aiperf.metrics"))):
        return
    from pytest_aiperf import wiring

    with settings.wrong_call():
        wiring.register_markers(config, described=lists)
        if channel is not None:
            wiring.equip_worker(config, channel=int(channel))
        elif measures:
            wiring.equip_run(config)


@pytest.fixture
def aiperf(request: pytest.FixtureRequest) -> Bench:
    """Measure models in this test: `load`, `infer`, `call`, `score`. Without --aiperf each just runs its function."""
    from pytest_aiperf import wiring

    hooks = request.config.pluginmanager.get_plugin(wiring.RUN_PLUGIN)
    bench: Bench = wiring.pass_through(request.config.stash) if hooks is None else hooks.bench_of(request.node)
    return bench


@pytest.fixture
def aiperf_gpu(request: pytest.FixtureRequest) -> Iterator[tuple[str, ...]]:
    """Keep the visible GPUs for this test, once they have the memory that `max_gpu_mb` allows it; name it first.

    Tests of other xdist workers and other runs on this machine that use it wait. Skips without a GPU, or fails where
    `--aiperf-require=gpu` asks for one. Works without --aiperf.
    """
    from pytest_aiperf import wiring

    with wiring.gpu_slot(request.config, request.node) as names:
        yield names

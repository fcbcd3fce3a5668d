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
    "max_load_s(s, cache='warm', label=None): longest load time in seconds, first inference included",
    "max_latency_ms(ms, percentile=50, label=None): longest latency of one call in milliseconds",
    "min_throughput(per_s, label=None): fewest items per second, calls queued back to back",
    "max_gpu_mb(mb, kind='allocated', label=None): most GPU memory in MiB: allocated, reserved or process",
    "max_ram_mb(mb, label=None): most process memory in MiB above that of an idle process",
    "max_leak_kb(per_call, label=None): most memory in KiB that each call of aiperf.soak may leave behind",
    "max_model_mb(mb, label=None): largest model in MiB",
    "min_accuracy(value, label=None): lowest accuracy as a fraction",
    (
        "max_accuracy_drop(points, population=False, label=None): largest loss of accuracy to the baseline, or to a "
        "comparison's reference, in points: 0.5 is half a percent point"
    ),
    "min_speedup(ratio, label=None): smallest speed-up of a candidate over its reference: 1.5 is half as fast again",
    "max_size_ratio(ratio, label=None): largest size of a candidate, as a share of its reference's",
    (
        "max_memory_ratio(ratio, label=None): largest memory of a candidate, as a share of its reference's: the model "
        "and what its first call adds"
    ),
    (
        "min_agreement(share, label=None): smallest share of examples to which candidate and reference give the same "
        "answer"
    ),
    "min_sqnr_db(db, label=None): smallest ratio of the reference's outputs to their error, in decibel",
    "max_abs_error(error, label=None): largest difference of any output of candidate and reference",
    "aiperf(max_slowdown, tolerance, accuracy_margin, calls, seconds, memory, group, flush_l2): rules of this test",
)
"""As `pytest --markers` lists them: what their functions say of themselves, which no unused plugin imports."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    settings.declare(parser)


@pytest.hookimpl(tryfirst=True)  # a fresh process must not select, distribute or report as its parent does
def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; where this run measures, let the composition root build the rest."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    channel = os.environ.pop(WORKER_VARIABLE, None)
    measures = channel is not None or settings.is_active(config)
    if not measures and not (settings.needs_every_marker(config) and entry_points(group="pytest_aiperf.metrics")):
        return
    from pytest_aiperf import wiring

    with settings.wrong_call():
        wiring.register_markers(config)
        if channel is not None:
            wiring.equip_worker(config, channel=int(channel))
        elif measures:
            wiring.equip_run(config)


@pytest.fixture
def aiperf(request: pytest.FixtureRequest) -> Bench:
    """Measure models in this test: `load`, `infer`, `call`, `score`. Without --aiperf each just runs its function."""
    equipment = request.config.pluginmanager.get_plugin("aiperf-run")
    if equipment is None:
        from pytest_aiperf import wiring

        bench: Bench = wiring.pass_through(request.config.stash)
    else:
        bench = equipment.bench_of(request.node)
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

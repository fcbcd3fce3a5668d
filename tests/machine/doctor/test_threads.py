"""Threads against cores: as many as there are is fine, one more is noisy."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_aiperf.machine.doctor import threads
from pytest_aiperf.machine.doctor.finding import State
from tests.fakes_machine import Files, machine

QUOTA_OF_TWO = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}
TORCH = {"modules": {"torch": SimpleNamespace(get_num_threads=lambda: 8)}}


@pytest.mark.parametrize(
    ("environ", "files", "answers", "state", "seen"),
    [
        ({}, {}, {}, State.FINE, "4 threads by default on 4 cores"),
        ({}, QUOTA_OF_TWO, {}, State.NOISY, "4 threads by default on 2 cores"),
        ({"OMP_NUM_THREADS": "2"}, QUOTA_OF_TWO, {}, State.FINE, "OMP_NUM_THREADS=2 on 2 cores"),
        ({"OMP_NUM_THREADS": "4"}, {}, {}, State.FINE, "OMP_NUM_THREADS=4 on 4 cores"),
        ({"OMP_NUM_THREADS": "5"}, {}, {}, State.NOISY, "OMP_NUM_THREADS=5 on 4 cores"),
        ({"OMP_NUM_THREADS": "16,2"}, {}, {}, State.NOISY, "OMP_NUM_THREADS=16 on 4 cores"),
        ({"OMP_NUM_THREADS": "many"}, {}, {}, State.FINE, "4 threads by default on 4 cores"),
        ({"MKL_NUM_THREADS": "6", "OMP_NUM_THREADS": "2"}, {}, {}, State.NOISY, "MKL_NUM_THREADS=6 on 4 cores"),
        ({"OPENBLAS_NUM_THREADS": "6"}, {}, {}, State.NOISY, "OPENBLAS_NUM_THREADS=6 on 4 cores"),
        ({}, {}, TORCH, State.NOISY, "8 threads of torch on 4 cores"),
        ({"OMP_NUM_THREADS": "4"}, {}, TORCH, State.FINE, "OMP_NUM_THREADS=4 on 4 cores"),
    ],
)
def test_it_holds_the_threads_of_runtimes_against_usable_cores(
    tmp_path: Path, *, environ: Files, files: Files, answers: dict[str, Any], state: State, seen: str
):
    found = threads.library_threads(machine(tmp_path, files, environ, **answers))
    assert (found.state, found.seen) == (state, seen)


def test_it_proposes_as_many_threads_as_there_are_whole_cores(tmp_path: Path):
    half = QUOTA_OF_TWO | {"sys/fs/cgroup/cpu.max": "50000 100000\n"}
    found = threads.library_threads(machine(tmp_path, half))
    assert found.seen == "4 threads by default on 0.5 cores"
    assert found.remedy.startswith("export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1; ")


@pytest.mark.parametrize(
    ("environ", "cores", "state", "told"),
    [
        ({}, 4, State.FINE, "OMP_WAIT_POLICY is not set"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, 4, State.FINE, "passive"),
        ({"OMP_WAIT_POLICY": "active", "OMP_NUM_THREADS": "3"}, 4, State.FINE, "active"),
        (
            {"OMP_WAIT_POLICY": "active"},
            4,
            State.NOISY,
            "unset OMP_WAIT_POLICY, or leave a core free: export OMP_NUM_THREADS=3",
        ),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, 1, State.NOISY, "unset OMP_WAIT_POLICY"),
    ],
)
def test_it_warns_of_threads_that_wait_actively_on_every_core(
    tmp_path: Path, environ: Files, cores: int, state: State, told: str
):
    found = threads.waiting(machine(tmp_path, environ=environ, cores=lambda: cores))
    assert found.state is state
    assert (found.remedy or found.seen) == told


@pytest.mark.parametrize(
    ("environ", "state", "seen"),
    [
        ({"PYTEST_XDIST_WORKER_COUNT": "2", "OMP_NUM_THREADS": "2"}, State.FINE, "2 workers x 2 threads on 4 cores"),
        ({"PYTEST_XDIST_WORKER_COUNT": "3", "OMP_NUM_THREADS": "2"}, State.NOISY, "3 workers x 2 threads on 4 cores"),
        ({"PYTEST_XDIST_WORKER_COUNT": "2"}, State.NOISY, "2 workers x 4 threads on 4 cores"),
    ],
)
def test_it_multiplies_workers_by_threads(tmp_path: Path, environ: Files, state: State, seen: str):
    found = threads.xdist_workers(machine(tmp_path, environ=environ))
    assert found is not None
    assert (found.state, found.seen) == (state, seen)
    assert ("-n 0" in found.remedy) == (state is State.NOISY)


def test_it_says_nothing_of_workers_outside_xdist(tmp_path: Path):
    assert threads.xdist_workers(machine(tmp_path)) is None

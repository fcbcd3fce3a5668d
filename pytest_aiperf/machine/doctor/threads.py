"""Threads of the runtimes against the cores that this process may use."""

from __future__ import annotations

from typing import Any

from pytest_aiperf.machine.doctor.finding import Finding, fine, noisy
from pytest_aiperf.machine.instruments import Machine

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
WAIT_POLICY = "OMP_WAIT_POLICY"
WORKERS = "PYTEST_XDIST_WORKER_COUNT"


def library_threads(machine: Machine) -> Finding:
    """More threads than cores wait for each other at the end of every parallel section."""
    cores, (threads, source) = machine.usable_cores(), most_threads(machine)
    fit = _at_least_one(cores)
    return noisy(
        f"{source} on {cores:g} cores",
        when=threads > cores,
        remedy=f"export OMP_NUM_THREADS={fit} MKL_NUM_THREADS={fit} OPENBLAS_NUM_THREADS={fit}; "
        f"ONNX Runtime: SessionOptions.intra_op_num_threads = {fit}",
    )


def waiting(machine: Machine) -> Finding:
    """Threads that wait actively hold a core that another process needs."""
    policy = machine.environ.get(WAIT_POLICY, "").strip().upper()
    cores, (threads, source) = machine.usable_cores(), most_threads(machine)
    if policy != "ACTIVE" or threads < cores:
        return fine(policy.lower() or f"{WAIT_POLICY} is not set")
    fewer = f", or leave a core free: export OMP_NUM_THREADS={int(cores) - 1}" if cores >= 2 else ""  # noqa: PLR2004
    return noisy(
        f"{WAIT_POLICY}=ACTIVE with {source} on {cores:g} cores: idle threads hold every core",
        remedy=f"unset {WAIT_POLICY}{fewer}",
    )


def xdist_workers(machine: Machine) -> Finding | None:
    """Each worker of pytest-xdist has threads of its own; None outside xdist."""
    workers = _number(machine.environ.get(WORKERS, ""))
    if workers is None:
        return None
    cores, (threads, _) = machine.usable_cores(), most_threads(machine)
    return noisy(
        f"{workers} workers x {threads} threads on {cores:g} cores",
        when=workers * threads > cores,
        remedy="measure without workers: pytest --aiperf -n 0; else export "
        f"OMP_NUM_THREADS={_at_least_one(cores / workers)}",
    )


def most_threads(machine: Machine) -> tuple[int, str]:
    """The largest number of threads that a runtime will start, and who says so."""
    asked = [(number, f"{name}={number}") for name in VARIABLES if (number := _number(machine.environ.get(name, "")))]
    if _number(machine.environ.get("OMP_NUM_THREADS", "")) is None:
        torch: Any = machine.instruments.modules.get("torch")
        # Runtimes look at the affinity, and know no quota.
        number = machine.instruments.cores() if torch is None else torch.get_num_threads()
        asked.append((number, f"{number} threads {'by default' if torch is None else 'of torch'}"))
    return max(asked, key=lambda answer: answer[0])


def _number(text: str) -> int | None:
    first = text.partition(",")[0].strip()  # OMP_NUM_THREADS may name one number per level
    return int(first) if first.isdecimal() and int(first) else None


def _at_least_one(cores: float) -> int:
    return max(1, int(cores))

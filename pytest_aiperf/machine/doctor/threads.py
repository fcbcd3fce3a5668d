"""Threads of the runtimes against the cores that this process may use."""

from __future__ import annotations

from typing import Any

from pytest_aiperf.machine.doctor.finding import Finding, fine, noisy
from pytest_aiperf.machine.instruments import Machine

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
WAIT_POLICY = "OMP_WAIT_POLICY"
WORKERS = "PYTEST_XDIST_WORKER_COUNT"


def findings(machine: Machine) -> tuple[Finding, ...]:
    """Every check of this family; the one of xdist only inside its workers."""
    workers = xdist_workers(machine)
    return (library_threads(machine), waiting(machine), *((workers,) if workers else ()))


def library_threads(machine: Machine) -> Finding:
    """More threads than cores wait for each other at the end of every parallel section."""
    name = "library threads"
    cores, (threads, source) = machine.usable_cores(), most_threads(machine)
    seen = f"{source} on {cores:g} cores"
    if threads <= cores:
        return fine(name, seen)
    fit = _at_least_one(cores)
    return noisy(
        name,
        seen,
        remedy=f"export OMP_NUM_THREADS={fit} MKL_NUM_THREADS={fit} OPENBLAS_NUM_THREADS={fit}; "
        f"ONNX Runtime: SessionOptions.intra_op_num_threads = {fit}",
    )


def waiting(machine: Machine) -> Finding:
    """Threads that wait actively hold a core that another process needs."""
    name = "OpenMP waiting"
    policy = machine.environ.get(WAIT_POLICY, "").strip().upper()
    cores, (threads, source) = machine.usable_cores(), most_threads(machine)
    if policy != "ACTIVE" or threads < cores:
        return fine(name, policy.lower() or f"{WAIT_POLICY} is not set")
    fewer = f", or leave a core free: export OMP_NUM_THREADS={int(cores) - 1}" if cores >= 2 else ""  # noqa: PLR2004
    return noisy(
        name,
        f"{WAIT_POLICY}=ACTIVE with {source} on {cores:g} cores: idle threads hold every core",
        remedy=f"unset {WAIT_POLICY}{fewer}",
    )


def xdist_workers(machine: Machine) -> Finding | None:
    """Each worker of pytest-xdist has threads of its own; None outside xdist."""
    workers = _number(machine.environ.get(WORKERS, ""))
    if workers is None:
        return None
    cores, (threads, _) = machine.usable_cores(), most_threads(machine)
    seen = f"{workers} workers x {threads} threads on {cores:g} cores"
    if workers * threads <= cores:
        return fine("xdist workers", seen)
    fit = _at_least_one(cores / workers)
    return noisy(
        "xdist workers",
        seen,
        remedy=f"measure without workers: pytest --aiperf -n 0; else export OMP_NUM_THREADS={fit}",
    )


def most_threads(machine: Machine) -> tuple[int, str]:
    """The largest number of threads that a runtime will start, and who says so."""
    asked = [(number, f"{name}={number}") for name in VARIABLES if (number := _number(machine.environ.get(name, "")))]
    if _number(machine.environ.get("OMP_NUM_THREADS", "")) is None:
        torch: Any = machine.instruments.modules.get("torch")
        if torch is None:
            number = machine.instruments.cores()  # runtimes look at the affinity, and know no quota
            asked.append((number, f"{number} threads by default"))
        else:
            number = torch.get_num_threads()
            asked.append((number, f"{number} threads of torch"))
    return max(asked, key=lambda answer: answer[0])


def _number(text: str) -> int | None:
    first = text.partition(",")[0].strip()  # OMP_NUM_THREADS may name one number per level
    return int(first) if first.isdecimal() and int(first) else None


def _at_least_one(cores: float) -> int:
    return max(1, int(cores))

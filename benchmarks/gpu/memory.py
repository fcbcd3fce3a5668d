"""Allocated, reserved and process memory of tensors of known size, beside torch's own counters and nvidia-smi."""

from __future__ import annotations

import os
import subprocess

import torch

from benchmarks.gpu.table import MIB, Bench, mib, table
from pytest_aiperf.measuring.metrics.gpu_memory import GpuWatch

SIZES = (1, 10, 100, 1000)


def known_tensors(bench: Bench) -> list[str]:
    """Each allocated, freed before the reading, under a watch of its own."""
    if bench.device != "cuda":
        return ["Needs CUDA."]
    torch.ones(1, device="cuda")
    rows = []
    for size in SIZES:
        watch = GpuWatch(bench.tools.devices)
        watch.start()
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        tensor = torch.ones(size * MIB // 4, device="cuda")
        torch.cuda.synchronize()
        driver = nvidia_smi()
        seen = {sample.metric: sample for sample in watch.samples()}
        stats = torch.cuda.memory_stats()
        del tensor
        figures = {name: sample.values[0] if sample.values else None for name, sample in seen.items()}
        allocated = figures["gpu_allocated"]
        rows.append(
            [
                f"{size} MiB",
                mib(None if allocated is None else allocated - held),
                mib(stats["allocated_bytes.all.peak"] - held),
                mib(figures["gpu_reserved"]),
                mib(stats["reserved_bytes.all.peak"]),
                mib(figures["gpu_process"]),
                mib(driver),
                "; ".join(dict.fromkeys(note for sample in seen.values() for note in sample.notes)) or "-",
            ]
        )
        torch.cuda.empty_cache()
    head = ("tensor", "allocated", "torch says", "reserved", "torch says", "process", "nvidia-smi", "notes")
    return ["All in MiB; allocated above what was held before.", "", *table(head, rows)]


def nvidia_smi() -> float | None:
    """Bytes that the driver's tool charges to this process; None where it does not list it."""
    asked = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    found = [line.split(",") for line in told.splitlines() if line.count(",") == 1]
    used = [float(size) * MIB for pid, size in found if pid.strip() == str(os.getpid()) and size.strip().isdigit()]
    return sum(used) if used else None

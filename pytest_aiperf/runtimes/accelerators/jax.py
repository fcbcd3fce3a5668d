"""Whatever JAX runs on, the processor included: it answers before its work is done."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from pytest_aiperf.vocabulary.devices import Accelerator, GpuMemory

BRIDGE = "jax._src.xla_bridge"
"""Knows which backends were started; no public module tells without starting them."""
WHOLE_PROCESS = "JAX cannot restart its peak: the figure covers the whole process"
DRIVER_SEES_IT = ("cpu", "cuda", "gpu")
"""Platforms whose hardware is described elsewhere: by the processor's name, by NVML."""


class Jax(Accelerator):
    """Waits for every live array; counts what the backends' allocators hold."""

    def __init__(self, *, modules: Mapping[str, ModuleType]) -> None:
        self._modules = modules

    def initialised(self) -> bool:
        bridge: Any = self._modules.get(BRIDGE)
        return "jax" in self._modules and bridge is not None and bool(bridge.backends_are_initialized())

    def wait(self) -> None:
        if not self.initialised():
            return
        jax: Any = self._modules["jax"]
        jax.effects_barrier()
        for platform in self._platforms():
            jax.block_until_ready(jax.live_arrays(platform))

    def reset_peak(self) -> None:
        if self.initialised():
            gc.collect()

    def memory(self) -> Sequence[GpuMemory]:
        return [
            GpuMemory(
                device=f"jax {platform}:{device.id}",
                allocated_peak=figures["peak_bytes_in_use"],
                reserved_peak=figures.get("peak_pool_bytes"),
                notes=(WHOLE_PROCESS,),
            )
            for platform, device in self._devices()
            if (figures := device.memory_stats() or {}).get("peak_bytes_in_use")  # None on the processor
        ]

    def facts(self) -> Mapping[str, str]:
        kinds = Counter((p, device.device_kind) for p, device in self._devices() if p not in DRIVER_SEES_IT)
        return {platform: f"{count} x {kind}" for (platform, kind), count in sorted(kinds.items())}

    def _platforms(self) -> list[str]:
        bridge: Any = self._modules[BRIDGE]
        return list(bridge.backends())

    def _devices(self) -> list[tuple[str, Any]]:
        if not self.initialised():
            return []
        jax: Any = self._modules["jax"]
        return [(platform, device) for platform in self._platforms() for device in jax.local_devices(backend=platform)]


def create() -> Accelerator:
    """JAX as this process has it."""
    return Jax(modules=sys.modules)

"""PyTorch's profiler: what each operator takes itself, on the device where there is one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from pytest_aiperf.vocabulary.contracts import Profiler

CALLS = 10
MICROSECOND = 1e-6
FLOPS_PER_MAC = 2
COMPILED = "a compiled graph"
LARGEST_COPIED = 256 * 1024**2
"""Bytes of parameters."""


class TorchProfiler(Profiler):
    """Of modules."""

    def operators(self, model: Any, bind: Callable[[Any], Callable[[], Any]]) -> dict[str, float]:
        """Seconds per call of each operator, without what it calls. `bind(model)` makes one inference of a model."""
        from torch import profiler

        call = bind(model)
        call()
        wanted = [profiler.ProfilerActivity.CPU]
        if profiler.ProfilerActivity.CUDA in profiler.supported_activities():
            wanted.append(profiler.ProfilerActivity.CUDA)
        with profiler.profile(activities=wanted) as seen:
            for _ in range(CALLS):
                call()
        entries = seen.key_averages()
        on_device = {entry.key: getattr(entry, "self_device_time_total", 0.0) for entry in entries}
        on_host = {entry.key: entry.self_cpu_time_total for entry in entries}
        times = on_device if any(on_device.values()) else on_host
        found: dict[str, float] = {}
        for name, time in times.items():
            if time > 0:
                kind = COMPILED if "CompiledFxGraph" in name else name
                found[kind] = found.get(kind, 0.0) + time * MICROSECOND / CALLS
        return found

    def macs(self, model: Any, bind: Callable[[Any], Callable[[], Any]]) -> int | None:
        """Multiply-accumulates of one inference; None where nothing that runs is known to the counter."""
        from torch.utils.flop_counter import FlopCounterMode

        call = bind(getattr(model, "_orig_mod", model))  # what torch.compile made calls kernels that no counter knows
        with FlopCounterMode(display=False) as counter:
            call()
        return counter.get_total_flops() // FLOPS_PER_MAC or None

    def in_float64(self, model: Any) -> Any | None:
        """A copy that computes in float64; None of what is large, quantised, compiled or cannot be copied."""
        kinds = {parameter.dtype for parameter in model.parameters()}
        size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
        if not kinds or not all(kind.is_floating_point for kind in kinds) or size > LARGEST_COPIED:
            return None
        return copy.deepcopy(model).double() if not hasattr(model, "_orig_mod") else None

    def outputs_of_layers(self, model: Any, bind: Callable[[Any], Callable[[], Any]]) -> dict[str, Any]:
        """Name -> output of every layer without layers of its own, of one inference, in the order they ran.

        A layer that runs more than once keeps its last output; those that return no tensor are left out.
        """
        import torch

        outputs: dict[str, Any] = {}

        def keep(name: str) -> Callable[..., None]:
            def hook(_module: Any, _inputs: Any, output: Any) -> None:
                if isinstance(output, torch.Tensor):
                    outputs[name] = output.detach().clone()

            return hook

        with ExitStack() as stack:
            for name, layer in model.named_modules():
                if name and not any(True for _ in layer.children()):
                    stack.callback(layer.register_forward_hook(keep(name)).remove)
            bind(model)()
        return outputs


create = TorchProfiler

"""Models with random weights, a billion parameters at most: load, latency, throughput, memory, energy."""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from benchmarks.gpu.table import MIB, Bench, table
from pytest_aiperf.measuring.driver import Driver
from pytest_aiperf.measuring.metrics.energy import Energy

Made = tuple[torch.nn.Module, Callable[[torch.nn.Module, torch.dtype], Callable[[], Any]], int]


def everything(bench: Bench) -> list[str]:
    """A row per model and precision; one that cannot run here says why."""
    rows = []
    for name, make in (("ResNet-50", resnet), ("ViT-B/16", vit), ("decoder, 1 B", decoder)):
        for precision in ("FP32", "bf16", "INT8 (torchao, weight only)"):
            try:
                rows.append([name, precision, *figures(bench, make, precision)])
            except (ImportError, RuntimeError, NotImplementedError) as error:
                rows.append([name, precision, f"{type(error).__name__}: {str(error).splitlines()[0][:80]}", *[""] * 6])
            gc.collect()
            if bench.device == "cuda":
                torch.cuda.empty_cache()
    head = (
        "model",
        "precision",
        "load, s",
        "latency p50, ms",
        "p95, ms",
        "items/s",
        "allocated peak, MiB",
        "size, MiB",
        "joules per call",
    )
    return table(head, rows)


def figures(bench: Bench, make: Callable[[Bench], Made], precision: str) -> list[str]:
    """Of one model on its first device."""
    built: list[Any] = []

    def load() -> None:
        model, bind, items = make(bench)
        dtype = torch.float32 if precision == "FP32" else torch.bfloat16
        model = model.to(device=bench.device, dtype=dtype).eval()
        if precision.startswith("INT8"):
            from torchao.quantization import Int8WeightOnlyConfig, quantize_

            quantize_(model, Int8WeightOnlyConfig())
        call = bind(model, dtype)
        call()
        built[:] = [model, call, items]

    with torch.inference_mode():
        loading = bench.seconds(load)
        model, call, items = built
        latencies = sorted(bench.latencies(call, seconds=2.0))
        if bench.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        call()
        peak = torch.cuda.max_memory_allocated() if bench.device == "cuda" else None
        joules = energy(bench, call)
    size = sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers()))
    return [
        f"{loading:.2f}",
        f"{median(latencies) * 1e3:.2f}",
        f"{latencies[int(0.95 * (len(latencies) - 1))] * 1e3:.2f}",
        f"{items / median(latencies):,.0f}",
        "-" if peak is None else f"{peak / MIB:,.0f}",
        f"{size / MIB:,.0f}",
        "-" if joules is None else f"{joules:.3g}",
    ]


def energy(bench: Bench, call: Callable[[], Any]) -> float | None:
    """Joules per call as the plugin counts them; None where the driver does not."""
    samples = Driver(call, bench.tools).run((Energy(seconds=1.0),))
    return samples[0].values[0] if samples else None


def resnet(bench: Bench) -> Made:
    """32 images."""
    return _of_timm("resnet18" if bench.small else "resnet50", bench)


def vit(bench: Bench) -> Made:
    """32 images."""
    return _of_timm("vit_tiny_patch16_224" if bench.small else "vit_base_patch16_224", bench)


def _of_timm(name: str, bench: Bench) -> Made:
    import timm

    items = 2 if bench.small else 32

    def bind(model: torch.nn.Module, dtype: torch.dtype) -> Callable[[], Any]:
        images = torch.randn(items, 3, 224, 224, device=bench.device, dtype=dtype)
        return lambda: model(images)

    return timm.create_model(name, pretrained=False), bind, items


def decoder(bench: Bench) -> Made:
    """One pass over 128 tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM

    size = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    if not bench.small:
        size = {"hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32, "intermediate_size": 8192}
    config = LlamaConfig(vocab_size=32_000, use_cache=False, **size)

    def bind(model: torch.nn.Module, dtype: torch.dtype) -> Callable[[], Any]:  # noqa: ARG001 - tokens have no dtype
        tokens = torch.randint(0, 32_000, (1, 128), device=bench.device)
        return lambda: model(tokens)

    return LlamaForCausalLM(config), bind, 128

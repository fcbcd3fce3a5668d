"""Why a candidate is slower than it should be, in sentences, from what is known of both models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pytest_aiperf.machine.processor import Processor
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.model_figures import Weights
from pytest_aiperf.vocabulary.terms import Unit

MOST_NAMED = 3
WORTH_NAMING = 0.05
"""Share of the candidate's time."""
OVERHEAD = 100e-6
"""Seconds: calls this short spend more on being called than on their operators."""
SPARSE = 0.2
"""Share of zeros beyond the reference's from which somebody meant them."""
MOST, ALIKE = 0.4, 0.15
"""An operator that takes so much of the time, and so nearly as much as in the reference, is what was not optimised."""
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast", "aten::_to_copy", "aten::copy_")
HEAVY = ("Conv", "MatMul", "Gemm", "FusedConv", "FusedMatMul", "FusedGemm")
"""What Q/DQ pairs are meant to be fused with."""
INT8 = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}
"""Instruction sets that multiply 8-bit numbers in one step, of x86 and of Arm."""
SETTINGS = ("graph optimisation", "device", "threads", "intra-op threads", "inter-op threads", "compiled")
"""Facts of a model that a candidate rarely means to change."""
HALF = {"bfloat16": {"avx512_bf16", "amx_bf16", "bf16"}, "float16": {"avx512_fp16", "amx_fp16", "fphp"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One of the two models; None for what its runtime does not tell."""

    operators: Mapping[str, float] | None = None
    """Kind of operator -> seconds per call."""
    weights: Weights | None = None
    macs: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the runtime says of the model: threads, mode, device."""


def slower(
    reference: Workload, candidate: Workload, *, candidate_seconds: float, processor: Processor
) -> tuple[str, ...]:
    """Reasons, the most telling first: how it runs, what it is made of, what the processor lacks, its operators."""
    return (
        *_how_it_runs(reference, candidate, processor),
        *_what_it_is_made_of(reference, candidate),
        *_what_the_processor_lacks(candidate, processor),
        *_operators(reference.operators or {}, candidate.operators or {}),
        *_overhead(candidate_seconds),
    )


def larger(reference: Weights | None, candidate: Weights | None) -> tuple[str, ...]:
    """What makes a candidate larger: wider numbers, or masks beside the weights."""
    if reference is None or candidate is None:
        return ()
    return (*_wide(reference, candidate), *_masked(candidate))


def _how_it_runs(reference: Workload, candidate: Workload, processor: Processor) -> Iterator[str]:
    operators = candidate.operators or {}
    total = sum(operators.values())
    if elsewhere := sorted({name.partition(" on ")[2] for name in operators if " on " in name}):
        share = sum(seconds for name, seconds in operators.items() if " on " in name) / total
        yield f"{share:.0%} of its time is spent on {', '.join(elsewhere)}, not on the provider that was asked for"
    if "training" in candidate.facts.get("mode", ""):
        yield "it is in training mode: call .eval()"
    for name in SETTINGS:
        old, new = reference.facts.get(name), candidate.facts.get(name)
        if old is not None and new is not None and old != new:
            yield f"its {name}: {new}, of the reference: {old}"
    threads = max((_number(candidate.facts.get(name, "")) for name in ("threads", "intra-op threads")), default=0)
    if threads > processor.cores:
        yield f"it runs on {threads} threads, and this process may use {processor.cores:g} cores"


def _what_it_is_made_of(reference: Workload, candidate: Workload) -> Iterator[str]:
    old, new = reference.weights, candidate.weights
    if old is None or new is None:
        return
    yield from _wide(old, new)
    yield from _masked(new)
    if (new.sparsity or 0.0) - (old.sparsity or 0.0) > SPARSE:
        work = f" ({units.count(candidate.macs)} multiply-adds)" if candidate.macs else ""
        yield (
            f"{new.sparsity:.0%} of its weights are 0, but zeros are stored and multiplied like all others{work}: "
            "remove whole channels or heads, or run on a sparse kernel"
        )


def _wide(old: Weights, new: Weights) -> Iterator[str]:
    if "float64" in new.bytes and "float64" not in old.bytes:
        yield f"{_bytes(new.bytes['float64'])} of its weights are float64, twice the work and bytes of float32"


def _masked(new: Weights) -> Iterator[str]:
    if new.masks:
        many = "a pruning mask is" if new.masks == 1 else f"{new.masks} pruning masks are"
        yield f"{many} multiplied again in every call: make it permanent (prune.remove)"


def _what_the_processor_lacks(candidate: Workload, processor: Processor) -> Iterator[str]:
    kinds = {} if candidate.weights is None else candidate.weights.bytes
    if not processor.flags or "cuda" in candidate.facts.get("device", "") or not kinds:
        return
    most = max(kinds, key=lambda kind: kinds[kind])
    if most in ("int8", "qint8", "uint8") and not processor.flags & INT8:
        yield "this processor has no VNNI or AMX: 8-bit products take as many steps as float ones"
    if most in HALF and not processor.flags & HALF[most]:
        yield f"this processor has no instructions for {most}: it is computed by way of float32"


def _operators(known: Mapping[str, float], candidate: Mapping[str, float]) -> Iterator[str]:
    """Those that cost the candidate most beyond the reference, and what its conversions take."""
    if not candidate:
        return
    total = sum(candidate.values())
    more = {name: seconds - known.get(name, 0.0) for name, seconds in candidate.items()}
    worst = [name for name in sorted(more, key=lambda name: -more[name]) if more[name] > WORTH_NAMING * total]
    gone = [name for name in known if name not in candidate and known[name] > WORTH_NAMING * total]
    most = max(candidate, key=lambda name: candidate[name])
    as_before = known.get(most, math.inf) * (1 - ALIKE) < candidate[most] < known.get(most, 0.0) * (1 + ALIKE)
    if candidate[most] > MOST * total and as_before:
        yield f"{candidate[most] / total:.0%} of its time is in {most}, which takes as long as in the reference"
    if worst:
        named = ", ".join(f"{name} {_text(candidate[name])}{_before(name, known)}" for name in worst[:MOST_NAMED])
        gone.sort(key=lambda name: -known[name])
        instead = ", ".join(f"{name} {_text(known[name])}" for name in gone[:MOST_NAMED])
        yield f"it spends its time in {named}" + (f" instead of {instead}" if gone else "")
    pairs = candidate.get("DequantizeLinear", 0.0)
    if left := [name for name in HEAVY if pairs and candidate.get(name, 0.0) > WORTH_NAMING * total]:
        yield f"{', '.join(left)} still in float between DequantizeLinear: these Q/DQ pairs were not fused"
    converting = sum(seconds for name, seconds in candidate.items() if name.partition(" on ")[0] in CONVERSIONS)
    if converting > WORTH_NAMING * total:
        yield f"{converting / total:.0%} of its operators' time converts numbers"


def _overhead(seconds: float) -> Iterator[str]:
    if seconds < OVERHEAD:
        yield f"a call of {_text(seconds)} is mostly overhead: compare larger batches"


def _before(name: str, known: Mapping[str, float]) -> str:
    return f" (reference {_text(known[name])})" if name in known else ""


def _text(seconds: float) -> str:
    return units.text(seconds, Unit.SECONDS, digits=2)


def _bytes(size: int) -> str:
    return units.text(float(size), Unit.BYTES)


def _number(text: str) -> int:
    first = text.partition(" ")[0]
    return int(first) if first.isdecimal() else 0

"""Sentences about operators."""

from __future__ import annotations

import pytest

from pytest_aiperf.comparing import why_slower
from pytest_aiperf.comparing.why_slower import Workload
from pytest_aiperf.machine.processor import Processor
from pytest_aiperf.vocabulary.model_figures import Weights

CONV = {"Conv": 600e-6, "FusedGemm": 150e-6}
MODERN = Processor(cores=4, flags=frozenset({"avx2", "avx512_vnni", "avx512_bf16"}))
OLD = Processor(cores=4, flags=frozenset({"avx2"}))


def slower(reference, candidate, *, candidate_seconds=1e-3):
    """From operators alone."""
    old, new = Workload(operators=reference), Workload(operators=candidate)
    return why_slower.slower(old, new, candidate_seconds=candidate_seconds, processor=MODERN)


def of(*, processor=MODERN, macs=None, facts=(), **weights):
    """From weights and facts alone, beside a dense model in float32."""
    dense = Weights(parameters=100, zeros=0, bytes={"float32": 400})
    weights = {"parameters": 100, "zeros": 0, "bytes": {"float32": 400}, **weights}
    candidate = Workload(weights=Weights(**weights), macs=macs, facts=dict(facts))
    return why_slower.slower(Workload(weights=dense), candidate, candidate_seconds=1e-3, processor=processor)


def test_operators_that_cost_more_and_those_they_stand_for():
    dynamic = {"ConvInteger": 4.9e-3, "DynamicQuantizeLinear": 0.4e-3, "FusedGemm": 160e-6, "Relu": 1e-6}
    assert slower(CONV, dynamic, candidate_seconds=5.4e-3) == (
        "it spends its time in ConvInteger 4.9 ms, DynamicQuantizeLinear 400 us instead of Conv 600 us",
        "7% of its operators' time converts numbers",
    )


def test_an_operator_of_both_is_told_with_what_it_was():
    (only,) = slower(CONV, {"Conv": 1.2e-3, "FusedGemm": 150e-6}, candidate_seconds=1.4e-3)
    assert only == "it spends its time in Conv 1.2 ms (reference 600 us)"


def test_operators_that_another_provider_runs():
    placed = {"Conv": 500e-6, "Resize on CPUExecutionProvider": 500e-6}
    reasons = slower(CONV, placed, candidate_seconds=1e-3)
    assert reasons[0] == "50% of its time is spent on CPUExecutionProvider, not on the provider that was asked for"


def test_pairs_that_were_not_fused():
    left = {"Conv": 600e-6, "DequantizeLinear": 200e-6, "QuantizeLinear": 100e-6}
    told = "Conv still in float between DequantizeLinear: these Q/DQ pairs were not fused"
    assert told in slower(CONV, left)
    assert told not in slower(CONV, {"QLinearConv": 600e-6, "DequantizeLinear": 10e-6})


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"zeros": 79, "macs": 93_600_000}, "79% of its weights are 0, but zeros are stored and multiplied like all "),
        ({"zeros": 79, "macs": 93_600_000}, "(93.6 M multiply-adds): remove whole channels or heads"),
        ({"masks": 2, "zeros": 79}, "2 pruning masks are multiplied again in every call"),
        ({"bytes": {"float64": 800}}, "800 B of its weights are float64"),
        ({"facts": {"mode": "training mode!"}}, "it is in training mode: call .eval()"),
        ({"facts": {"threads": "8"}}, "it runs on 8 threads, and this process may use 4 cores"),
        ({"facts": {"intra-op threads": "16"}}, "it runs on 16 threads, and this process may use 4 cores"),
        ({"bytes": {"int8": 90, "float32": 10}, "processor": OLD}, "this processor has no VNNI or AMX"),
        ({"bytes": {"bfloat16": 200}, "processor": OLD}, "this processor has no instructions for bfloat16"),
        ({"bytes": {"float16": 200}}, "this processor has no instructions for float16"),
    ],
    ids=lambda value: value[:25] if isinstance(value, str) else "",
)
def test_what_it_is_and_how_it_runs(model, expected):
    assert any(expected in reason for reason in of(**model))


def test_settings_that_differ():
    old = Workload(facts={"graph optimisation": "ORT_ENABLE_ALL", "intra-op threads": "1", "io": "copied"})
    new = Workload(facts={"graph optimisation": "ORT_DISABLE_ALL", "intra-op threads": "1"})
    assert why_slower.slower(old, new, candidate_seconds=1e-3, processor=MODERN) == (
        "its graph optimisation: ORT_DISABLE_ALL, of the reference: ORT_ENABLE_ALL",
    )


def test_what_makes_it_larger():
    dense, wide = Weights(parameters=9, zeros=0, bytes={"float32": 36}), {"float64": 72}
    assert why_slower.larger(dense, Weights(parameters=9, zeros=0, bytes=wide)) == (
        "72 B of its weights are float64, twice the work and bytes of float32",
    )
    (masks,) = why_slower.larger(dense, Weights(parameters=9, zeros=4, masks=1, bytes={"float32": 72}))
    assert masks.startswith("a pruning mask is multiplied")
    assert why_slower.larger(dense, dense) == why_slower.larger(None, dense) == ()


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"zeros": 5},
        {"bytes": {"int8": 90, "float32": 10}},
        {"bytes": {"bfloat16": 200}},
        {"bytes": {"int8": 90}, "processor": Processor(cores=4)},
        {"bytes": {"int8": 90}, "processor": OLD, "facts": {"device": "cuda:0"}},
        {"facts": {"threads": "4", "mode": "evaluation", "intra-op threads": "0 (the runtime's choice)"}},
        {"zeros": None},
    ],
    ids=str,
)
def test_no_reason_is_given_that_is_none(model):
    assert of(**model) == ()


def test_short_calls_are_overhead():
    assert slower(None, None, candidate_seconds=20e-6) == (
        "a call of 20 us is mostly overhead: compare larger batches",
    )


@pytest.mark.parametrize("candidate", [None, {}])
def test_nothing_is_made_up(candidate):
    assert slower(CONV, candidate, candidate_seconds=1e-3) == ()


def test_the_operator_that_was_not_optimised():
    told = "80% of its time is in Conv, which takes as long as in the reference"
    assert slower(CONV, CONV) == (told,)
    assert slower(CONV, {"Conv": 640e-6, "FusedGemm": 20e-6})[0].startswith("97% of its time is in Conv")
    assert slower(CONV, {"Conv": 300e-6}) == ()

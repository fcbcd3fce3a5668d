"""Sentences about operators."""

from __future__ import annotations

import pytest

from pytest_aiperf.why import diverging, slower

CONV = {"Conv": 600e-6, "FusedGemm": 150e-6}


def test_operators_that_cost_more_and_those_they_stand_for():
    dynamic = {"ConvInteger": 4.9e-3, "DynamicQuantizeLinear": 0.4e-3, "FusedGemm": 160e-6, "Relu": 1e-6}
    assert slower(CONV, dynamic, candidate_seconds=5.4e-3) == (
        "it spends its time in ConvInteger 4.9 ms, DynamicQuantizeLinear 400 us",
        "instead of Conv 600 us",
        "7% of its operators' time converts numbers",
    )


def test_an_operator_of_both_is_told_with_what_it_was():
    (only,) = slower(CONV, {"Conv": 1.2e-3, "FusedGemm": 150e-6}, candidate_seconds=1.4e-3)
    assert only == "it spends its time in Conv 1.2 ms (reference 600 us)"


def test_operators_that_another_provider_runs():
    placed = {"Conv": 500e-6, "Resize on CPUExecutionProvider": 500e-6}
    reasons = slower(CONV, placed, candidate_seconds=1e-3)
    assert "50% of it runs on CPUExecutionProvider" in reasons


def test_short_calls_are_overhead():
    assert slower(None, None, candidate_seconds=20e-6) == (
        "a call of 20 us is mostly overhead: compare larger batches",
    )


@pytest.mark.parametrize("candidate", [None, {}, CONV])
def test_nothing_is_made_up(candidate):
    assert slower(CONV, candidate, candidate_seconds=1e-3) == ()


def test_the_layers_that_leave_the_reference():
    layers = {"stem": 45.0, "block.0": 18.0, "block.1": 4.0, "block.2": 9.5, "head": 12.0}
    (only,) = diverging(layers)
    assert only.startswith("its layers leave the reference first at block.0 (18.0 dB), most at block.1 4.0 dB, ")
    assert only.endswith("block.2 9.5 dB, head 12.0 dB: try leaving these as they were")
    assert diverging({"stem": 45.0}) == ()
    assert diverging({}) == ()

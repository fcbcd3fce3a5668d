"""What a comparison says of itself."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pytest_aiperf.comparing.comparison import Comparison
from pytest_aiperf.comparing.parity import Parity
from pytest_aiperf.vocabulary.model_figures import ModelFigures, Weights
from pytest_aiperf.vocabulary.pairing import Speed

INT8 = Comparison(
    speed=Speed(speedup=2.219, low=2.201, high=2.243, pairs=6, reference_seconds=802e-6, candidate_seconds=360e-6),
    score="accuracy",
    examples=540,
    agreement=0.993,
    parity=Parity(max_abs_error=0.195, max_rel_error=3.0, cosine=0.999961, sqnr_db=40.62),
    reference=ModelFigures(score=0.996, size=1_134_000),
    candidate=ModelFigures(score=0.991, size=296_000),
)
PRUNED = replace(
    INT8,
    needed_examples=600,
    reference=replace(
        INT8.reference, macs=93_600_000, weights=Weights(parameters=283_786, zeros=0, bytes={"float32": 1_135_144})
    ),
    candidate=replace(
        INT8.candidate, macs=93_600_000, weights=Weights(parameters=283_786, zeros=227_029, bytes={"int8": 283_786})
    ),
)


def test_its_text_is_a_table():
    assert str(INT8).splitlines() == [
        "                       reference   candidate",
        "latency                   802 us      360 us  2.22x [2.20, 2.24] in 6 pairs",
        "accuracy of 540            0.996       0.991  99.3% answered alike",
        "size                    1.08 MiB     289 KiB  0.26x",
        "outputs             SQNR 40.6 dB, largest error 0.195, cosine 0.999961",
    ]


def test_it_leaves_out_what_is_unknown():
    bare = replace(INT8, reference=ModelFigures(), candidate=ModelFigures())
    lines = str(bare).splitlines()
    assert lines[2] == "answers             99.3% answered alike"
    assert not any(line.startswith(("size", "accuracy")) for line in lines)


def test_ratios_and_differences():
    assert INT8.size_ratio == pytest.approx(0.261, abs=0.001)
    assert INT8.score_drop == pytest.approx(0.005)
    assert replace(INT8, reference=ModelFigures(size=0)).size_ratio is None
    assert replace(INT8, candidate=ModelFigures()).score_drop is None


def test_it_shows_weights_zeros_and_work_where_they_are_known():
    assert str(PRUNED).splitlines()[2:8] == [
        "accuracy of 540            0.996       0.991  99.3% answered alike, few: a loss shows with about 600",
        "size                    1.08 MiB     289 KiB  0.26x",
        "parameters                 284 k       284 k  1.00x",
        "of these zero               0.0%       80.0%",
        "multiply-adds             93.6 M      93.6 M  1.00x",
        "weights             277 KiB of int8",
    ]


def test_nothing_measured_has_a_text_too():
    nothing = Comparison()
    assert math.isnan(nothing.speedup)
    assert str(nothing).splitlines()[1] == "latency                        -           -"

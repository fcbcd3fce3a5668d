"""What a comparison says of itself."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pytest_aiperf.comparison import Comparison
from pytest_aiperf.parity import Parity

INT8 = Comparison(
    speedup=2.219,
    speedup_interval=(2.201, 2.243),
    reference_seconds=802e-6,
    candidate_seconds=360e-6,
    pairs=6,
    score="accuracy",
    examples=540,
    reference_score=0.996,
    candidate_score=0.991,
    agreement=0.993,
    parity=Parity(max_abs_error=0.195, max_rel_error=3.0, cosine=0.999961, sqnr_db=40.62),
    reference_bytes=1_134_000,
    candidate_bytes=296_000,
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
    bare = replace(INT8, reference_score=None, candidate_score=None, reference_bytes=None, candidate_bytes=None)
    lines = str(bare).splitlines()
    assert lines[2] == "answers             99.3% answered alike"
    assert not any(line.startswith(("size", "accuracy")) for line in lines)


def test_ratios_and_differences():
    assert INT8.size_ratio == pytest.approx(0.261, abs=0.001)
    assert INT8.score_drop == pytest.approx(0.005)
    assert replace(INT8, reference_bytes=0).size_ratio is None
    assert replace(INT8, candidate_score=None).score_drop is None


def test_nothing_measured_has_a_text_too():
    nothing = Comparison.unmeasured()
    assert math.isnan(nothing.speedup)
    assert str(nothing).splitlines()[1] == "latency                        -           -"

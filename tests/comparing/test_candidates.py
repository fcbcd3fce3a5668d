"""Several candidates of one reference: the table, the front, and what a run shows of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_aiperf.comparing import candidates
from pytest_aiperf.comparing.candidates import Candidate, Comparisons, Group, front
from pytest_aiperf.vocabulary.model_figures import ModelFigures, Variant
from pytest_aiperf.vocabulary.pairing import Speed
from pytest_aiperf.vocabulary.terms import Status
from tests.comparing.test_comparison import INT8
from tests.reporting.reporters.realistic import result, verdict

MIB = 1024**2


def candidate(name, speedup, score, *, low=None, high=None, size=MIB, **more):
    speed = Speed(
        speedup=speedup,
        low=low or speedup * 0.98,
        high=high or speedup * 1.02,
        pairs=6,
        reference_seconds=1e-3,
        candidate_seconds=1e-3 / speedup,
    )
    variant = Variant(
        group="cnn",
        name=name,
        score="accuracy",
        agreement=0.99,
        reference=ModelFigures(score=0.98, size=4 * MIB),
        candidate=ModelFigures(score=score, size=size),
    )
    return Candidate(variant=variant, speed=speed, **more)


def group(*candidates):
    return Group(name="cnn", candidates=candidates)


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([candidate("faster", 2.0, 0.98)], {"faster"}),
        ([candidate("slower", 0.5, 0.98)], set()),
        ([candidate("slower but better", 0.5, 0.99)], {"slower but better"}),
        ([candidate("fast", 3.0, 0.97), candidate("exact", 2.0, 0.98)], {"fast", "exact"}),
        ([candidate("fast", 3.0, 0.98), candidate("exact", 2.0, 0.98)], {"fast"}),
        ([candidate("a", 2.0, 0.98, high=2.2), candidate("b", 2.1, 0.98, low=2.0)], {"a", "b"}),
        ([candidate("broken", 9.0, 0.99, fails=True), candidate("exact", 2.0, 0.98)], {"exact"}),
        ([candidate("unknown", float("nan"), 0.98), candidate("exact", 2.0, 0.98)], {"exact"}),
    ],
    ids=lambda value: "" if isinstance(value, list) else "+".join(sorted(value)) or "none",
)
def test_the_front_is_what_nothing_that_passes_certainly_beats(candidates, expected):
    assert front(group(*candidates)) == expected


def test_its_text_is_a_table_with_the_fastest_first():
    seen = group(
        candidate("int8", 2.0, 0.979, word="passed"), candidate("pruned", 3.0, 0.4, word="REGRESSED", fails=True)
    )
    assert candidates.text(seen) == [
        "cnn",
        "             latency            speed-up            size  accuracy  alike",
        "  reference  1.00 ms                            4.00 MiB     0.980",
        "  pruned      333 us  3.00x [2.94, 3.06]  1.00 MiB 0.25x     0.400  99.0%  REGRESSED",
        "* int8        500 us  2.00x [1.96, 2.04]  1.00 MiB 0.25x     0.979  99.0%  passed",
        "  * nothing that passes is faster without being less accurate",
    ]


def test_it_fits_the_width_and_keeps_the_end_of_long_names():
    long = "tests-of-a-model-with-a-very-long-name-and-many-parameters-int8"
    lines = candidates.text(group(candidate(long, 2.0, 0.98, word="inconclusive"), candidate("b", 1.5, 0.98)))
    assert max(map(len, lines)) <= 100
    assert any("parameters-int8" in line for line in lines)


def test_without_labels_agreement_stands_for_quality():
    one = candidate("int8", 2.0, None)
    assert group(one).scored == "agreement"
    assert one.score == 0.99


def test_markdown_has_a_line_for_each():
    lines = candidates.markdown(group(candidate("int8", 2.0, 0.979, word="passed"))).splitlines()
    assert lines[0] == "|  |  | latency | speed-up | size | accuracy | alike |  |"
    assert lines[3] == "| \\* | int8 | 500 us | 2.00x [1.96, 2.04] | 1.00 MiB 0.25x | 0.979 | 99.0% | passed |"


def test_comparisons_are_a_mapping_whose_text_is_one_table():
    both = Comparisons({"int8": INT8, "again": replace(INT8, agreement=None)})
    assert list(both) == ["int8", "again"]
    assert both["int8"] is INT8
    assert len(both) == 2
    assert str(both).count("2.22x [2.20, 2.24]") == 2
    assert repr(both) == "<Comparisons of int8, again>"


def test_the_worst_of_its_rows_stands_for_a_candidate():
    rows = [
        verdict("accuracy", Status.PASSED, label="int8"),
        verdict("model_size", Status.OVER_LIMIT, label="int8", fails=True),
        verdict("latency", Status.REGRESSED, label="int8", fails=True),
        verdict("latency", Status.ANOMALOUS, label="other", fails=True),
    ]
    assert candidates._worst(result("test_a", *rows), "int8").status is Status.REGRESSED
    assert candidates._worst(result("test_a", *rows), "unknown") is None

"""The block of a failed test, and the words of a row."""

from __future__ import annotations

import dataclasses
import math

import pytest

from pytest_aiperf.reporting import rows
from pytest_aiperf.vocabulary.terms import Status
from tests.reporting.reporters.golden_files import assert_golden
from tests.reporting.reporters.realistic import (
    INT8,
    MIB,
    OVER_MEMORY,
    REGRESSED_ACCURACY,
    REGRESSED_LATENCY,
    RUN,
    exactly,
    interval,
    result,
    verdict,
)


def with_verdicts(*verdicts):
    return dataclasses.replace(INT8, verdicts=verdicts)


def test_it_shows_the_figures_that_failed():
    assert_golden("failure_block.txt", rows.failure_text(INT8) + "\n")


def test_it_says_nothing_where_nothing_failed():
    assert rows.failure_text(with_verdicts(verdict("latency", Status.PASSED, now=1e-3))) == ""


def test_it_says_in_its_first_line_what_failed():
    passed = verdict("latency", Status.PASSED, now=1e-3)
    assert rows.failure_text(with_verdicts(OVER_MEMORY, passed)).startswith("aiperf: peak memory over limit\n")
    many = [dataclasses.replace(OVER_MEMORY, label=f"model {number}") for number in range(5)]
    assert "over limit and 2 more" in " ".join(rows.failure_text(with_verdicts(*many)).split())


def test_it_aligns_its_columns():
    lines = rows.failure_text(with_verdicts(REGRESSED_ACCURACY, OVER_MEMORY)).splitlines()
    accuracy, memory = lines[1], lines[3]
    assert accuracy.index("0.912") == memory.index("612 MiB")
    assert accuracy.index("limit") == memory.index("limit")
    assert accuracy.index("REGRESSED") == memory.index("OVER LIMIT")


def test_it_puts_a_message_behind_the_row_only_where_it_fits():
    short = dataclasses.replace(REGRESSED_LATENCY, notes=(), message="10 pairs")
    assert "REGRESSED  (10 pairs)" in rows.failure_text(with_verdicts(short))
    long = dataclasses.replace(short, message="ten pairs of fresh processes against main@1a2b3c4")
    assert rows.failure_text(with_verdicts(long)).splitlines()[2] == f"    {long.message}"


@pytest.mark.parametrize("width", [100, 80, 60, 40])
def test_it_stays_within_its_width_and_loses_no_word(width):
    texts = [rows.failure_text(entry, width=width) for entry in RUN.results]
    assert max(len(line) for text in texts for line in text.splitlines()) <= width
    assert all(word in " ".join(texts[0].split()) for word in ("REGRESSED", "max_ram_mb(500)", "31 newly wrong,"))


def test_it_gives_a_title_that_is_too_long_a_line_of_its_own():
    labelled = dataclasses.replace(REGRESSED_LATENCY, label="the distilled student after calibration on the train set")
    lines = rows.failure_text(with_verdicts(labelled)).splitlines()
    assert lines[1] == "  the distilled student after calibration on the train set: latency p50"
    assert "4.10 ms" in lines[2]


def test_it_tells_a_note_that_rows_share_once():
    text = rows.failure_text(with_verdicts(REGRESSED_LATENCY, dataclasses.replace(REGRESSED_LATENCY, title="p95")))
    assert text.count("slower because") == 1


def test_it_shows_enough_digits_to_see_why_a_limit_broke():
    close = verdict("latency", Status.OVER_LIMIT, now=20.04e-3, limit=20e-3, limit_source="max_latency_ms(20)")
    row = rows.row_of(close)
    assert (row.now, row.limit) == ("20.04 ms", "20 ms")


@pytest.mark.parametrize(
    ("fields", "change", "limit"),
    [
        ({"metric": "latency", "worse_by": interval(0.91, 0.98, 1.04)}, "+98 % [+91, +104]", "+5 %"),
        ({"metric": "throughput", "worse_by": exactly(0.25)}, "-20 %", "-4.8 %"),
        ({"metric": "throughput", "worse_by": interval(0.0, 0.25, 1.0)}, "-20 % [-50, 0]", "-4.8 %"),
        ({"metric": "accuracy", "now": 0.9, "baseline": 0.926, "worse_by": exactly(0.026)}, "-2.6 points", "-5.0"),
        ({"metric": "accuracy", "now": 0.926, "baseline": 0.9, "worse_by": exactly(-0.026)}, "+2.6 points", "-5.0"),
        ({"metric": "perplexity", "now": 13.0, "baseline": 12.0, "worse_by": exactly(1.0)}, "+1.00", "+0.05"),
        ({"metric": "perplexity", "now": 11.0, "baseline": 12.0, "worse_by": exactly(1.0)}, "-1.00", "-0.05"),
        ({"metric": "latency", "now": 3.0, "baseline": 2.0}, "+50 %", "+5 %"),
        ({"metric": "latency", "now": 3.0, "baseline": 0.0}, "", "+5 %"),
        ({"metric": "latency", "now": math.nan, "baseline": 2.0}, "", "+5 %"),
        ({"metric": "accuracy", "now": 0.9, "baseline": 0.926}, "-2.6 points", "-5.0"),
        ({"metric": "latency"}, "", "+5 %"),
    ],
)
def test_it_shows_the_change_of_the_value_itself(fields, change, limit):
    row = rows.row_of(verdict(fields.pop("metric"), Status.REGRESSED, limit=0.05, **fields))
    assert (row.change, row.limit) == (change, limit)


@pytest.mark.parametrize(
    ("status", "fields", "word"),
    [
        (Status.PASSED, {}, "passed"),
        (Status.NEW, {}, "new"),
        (Status.NEW, {"fails": True}, "NEW"),
        (Status.REGRESSED, {}, "REGRESSED"),
        (Status.OVER_LIMIT, {"now": 2.0, "limit": 1.0}, "OVER LIMIT"),
        (Status.OVER_LIMIT, {"now": 0.8, "limit": 0.9}, "UNDER LIMIT"),
        (Status.OVER_LIMIT, {}, "OVER LIMIT"),
        (Status.INCONCLUSIVE, {}, "inconclusive"),
    ],
)
def test_it_shouts_only_where_somebody_has_to_act(status, fields, word):
    assert rows.word_of(verdict("latency", status, **fields)) == word


def test_it_starts_labelled_rows_with_their_label():
    assert rows.row_of(verdict("latency", Status.PASSED, label="onnx")).title == "onnx: latency p50"


@pytest.mark.parametrize(
    ("status", "notes", "told"),
    [
        (Status.NEW, True, "no baseline; record one: pytest --aiperf-update a.py::t"),
        (Status.NEW, False, "no baseline"),
        (Status.ANOMALOUS, False, "no baseline; record one: pytest --aiperf-update a.py::t"),
    ],
)
def test_it_leaves_the_remedies_of_open_answers_to_the_end_of_a_summary(status, notes, told):
    row = verdict("latency", status, message="no baseline", remedy="record one: pytest --aiperf-update a.py::t")
    assert f"({told})" in rows.Layout([row], width=200).lines([row], notes=notes)[0]


def test_it_shows_a_limit_that_nothing_measured():
    gone = verdict(
        "gpu_allocated",
        Status.UNMEASURED,
        message="no GPU",
        limit=500 * MIB,
        limit_source="max_gpu_mb(500)",
        fails=True,
    )
    assert rows.failure_text(result("t.py::t", gone)).splitlines()[1] == (
        "  GPU memory, allocated  limit 500 MiB  UNMEASURED  max_gpu_mb(500)  (no GPU)"
    )

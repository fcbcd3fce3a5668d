"""Records survive the way to JSON and back; everything else is refused with its place."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.errors import CodecError
from pytest_aiperf.vocabulary.pairing import Arm
from pytest_aiperf.vocabulary.records import Policy, Result, Run, Sample
from pytest_aiperf.vocabulary.terms import Better, Evidence, Metric, Origin, Rule, Unit
from tests.reporting.reporters.realistic import CHANGES, INT8, RUN


def same(one: object, other: object) -> bool:
    """Equal, where NaN equals NaN."""
    return repr(one) == repr(other)


def refuse_constants(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def test_it_returns_the_same_run():
    run = dataclasses.replace(RUN, changes=CHANGES)
    assert same(codec.decode_run(codec.encode_run(run)), run)


def test_it_returns_the_same_result():
    assert codec.decode(codec.encode(INT8), Result) == INT8


@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf])
def test_it_keeps_numbers_that_json_does_not_know(special):
    sample = Sample(metric="latency", values=(1.0, special), parts={"build": special}, foreign_share=special)
    data = codec.encode(sample)
    json.loads(data, parse_constant=refuse_constants)
    assert same(codec.decode(data, Sample), sample)


def test_it_leaves_words_alone_that_only_look_like_numbers():
    sample = Sample(metric="NaN", values=(1.0,), notes=("Infinity", "-Infinity"))
    assert codec.decode(codec.encode(sample), Sample) == sample


def test_it_keeps_records_inside_of_records():
    score = Metric(name="bleu", title="BLEU", unit=Unit.NUMBER, better=Better.HIGHER, rule=Rule.QUALITY, portable=True)
    wanting = dataclasses.replace(INT8.verdicts[0], needs=Evidence.FRESH_TIMING)
    measurement = dataclasses.replace(INT8.measurements[0], scores=(score,), covariate=-3.25)
    result = dataclasses.replace(INT8, measurements=(measurement,), verdicts=(wanting,))
    assert codec.decode(codec.encode(result), Result) == result


def test_it_keeps_every_digit():
    sample = Sample(metric="latency", values=(0.1 + 0.2, 5e-324, 1.7976931348623157e308), origin=Origin.FRESH)
    assert codec.decode(codec.encode(sample), Sample).values == sample.values


def test_it_reads_sets_and_whole_numbers():
    policy = Policy(new_fails=True, required=frozenset({"gpu", "ram"}))
    assert codec.decode(codec.encode(policy), Policy) == policy
    assert codec.decode(b'{"metric": "ram", "values": [3]}', Sample).values == (3.0,)


def test_it_reads_a_run_of_format_1():
    run = json.loads(codec.encode_run(RUN))
    sample = {"metric": "leak", "values": [1.0], "origin": "in_process"}
    for result in run["results"]:
        for measurement in result["measurements"]:
            measurement["allocations"] = {}
    measurement = run["results"][0]["measurements"][0]
    measurement["samples"] = [sample, {**sample, "metric": "latency"}]
    legs = [
        {"side": "old", "metric": "latency", "values": [1.0]},
        {"side": "new", "metric": "latency", "values": [2.0]},
    ]
    measurement["pairing"] = {"against": "main", "blocks": [{"seed": 1, "legs": legs}]}
    run["results"][0]["grounds"] = run["results"][0].pop("criteria")
    for verdict in run["results"][0]["verdicts"]:
        del verdict["needs"]
        verdict["want"] = "twins"
        verdict["message"] = "; ".join(filter(None, (verdict["message"], verdict.pop("remedy"))))
    read = codec.decode_run(json.dumps(run | {"format": 1}).encode()).results[0]
    assert [sample.calls_per_value for sample in read.measurements[0].samples] == [10, 1]
    assert [turn.arm for turn in read.measurements[0].pairing.blocks[0].turns] == [Arm.REFERENCE, Arm.CANDIDATE]
    assert {verdict.needs for verdict in read.verdicts} == {Evidence.MODEL_PAIRS}


@pytest.mark.parametrize(
    ("written", "field", "read"),
    [
        ({"origin": "fresh", "notes": ["child: hung", "no GPU"]}, "failure", "hung"),
        ({"origin": "fresh", "notes": ["child: hung", "no GPU"]}, "notes", ["no GPU"]),
        ({"origin": "fresh", "notes": ["void: it differs"]}, "void", "it differs"),
        ({"samples": [], "anomalies": ["slow", "out of memory: 1 GiB"]}, "out_of_memory", "1 GiB"),
        ({"samples": [], "anomalies": ["slow", "out of memory: 1 GiB"]}, "anomalies", ["slow"]),
        ({"samples": [], "anomalies": ["slow"]}, "out_of_memory", None),
        (
            {"allocations": {"a.py:1": 1, "GPU: b.py:1": 2}},
            "allocations",
            {"host": {"a.py:1": 1}, "gpu": {"b.py:1": 2}},
        ),
        ({"samples": [], "reasons": {"ram": ["why: large", "a: 1 GiB"]}}, "reasons", {"ram": ["large"]}),
        ({"samples": [], "reasons": {"ram": ["why: large", "a: 1 GiB"]}}, "breakdown", {"ram": ["a: 1 GiB"]}),
        ({"status": "new", "message": "", "notes": ["why: large", "rough"]}, "reasons", ["large"]),
        ({"status": "new", "message": "", "notes": ["why: large", "rough"]}, "notes", ["rough"]),
    ],
)
def test_it_finds_the_fields_in_the_notes_of_format_1(written, field, read):
    assert codec.from_format_1(written)[field] == read


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("no baseline; record one: pytest --aiperf-update t", "no baseline", "record one: pytest --aiperf-update t"),
        ("5 right; lucky; renew: pytest --aiperf-update t", "5 right; lucky", "renew: pytest --aiperf-update t"),
        ("10 pairs against main; slower", "10 pairs against main; slower", ""),
    ],
)
def test_it_finds_the_remedy_at_the_end_of_a_message_of_format_1(text, message, remedy):
    verdict = codec.from_format_1({"status": "new", "message": text})
    assert (verdict["message"], verdict["remedy"]) == (message, remedy)


def test_it_writes_its_format_into_a_run():
    assert json.loads(codec.encode_run(RUN))["format"] == codec.FORMAT


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'"\xff"', "not JSON"),
        (b"[]", "not a run"),
        (b"{}", "not a run"),
        (b'{"format": 3}', "format 3, this version of pytest-aiperf reads 2: upgrade"),
        (b'{"format": 2}', "not a Run: .*missing required field `started_at`"),
    ],
)
def test_it_refuses_what_is_no_run(data, complaint):
    with pytest.raises(CodecError, match=complaint):
        codec.decode_run(data)


def changed(path: str, value: object) -> bytes:
    content = json.loads(codec.encode_run(RUN))
    *way, last = path.split(".")
    place = content
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("results.0.seconds", "long", r"Expected `float`, got `str` - at `\$.results\[0\].seconds`"),
        ("results.0.seconds", None, r"\$.results\[0\].seconds"),
        ("results.0.seconds", True, r"\$.results\[0\].seconds"),
        ("results.0.test", 3, r"\$.results\[0\].test"),
        ("results.0.test", "", None),
        ("results.0.speed", 3, r"unknown field 'speed' - at `\$.results\[0\]`"),
        ("results.0.verdicts.0.status", "fine", r"\$.results\[0\].verdicts\[0\].status"),
        ("results.0.verdicts.0.worse_by.middle", 1.0, r"unknown field 'middle' .*verdicts\[0\].worse_by"),
        ("results.0.verdicts.0.now", "NaN", None),
        ("results.0.verdicts.0.message", "NaN", None),
        ("environment.details", [], r"\$.environment.details"),
    ],
)
def test_it_names_the_place_of_a_mistake(path, value, place):
    data = changed(path, value)
    if place is None:
        assert isinstance(codec.decode_run(data), Run)
        return
    with pytest.raises(CodecError, match=place):
        codec.decode_run(data)


def test_it_refuses_text_that_is_not_unicode():
    with pytest.raises(CodecError, match="not valid Unicode"):
        codec.encode(dataclasses.replace(INT8, test="tests/\udcff.py::test"))


def test_it_refuses_another_record():
    with pytest.raises(CodecError, match="unknown field"):
        codec.decode(codec.encode(RUN), Result)

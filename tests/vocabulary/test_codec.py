"""Records survive the way to JSON and back; everything else is refused with its place."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.baseline import Allocations, PortableValue
from pytest_aiperf.vocabulary.errors import CodecError
from pytest_aiperf.vocabulary.pairing import Arm
from pytest_aiperf.vocabulary.records import Measurement, Policy, Result, Run, Sample, Verdict
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


USERS_WORDS = (
    "side",
    "want",
    "legs",
    "grounds",
    "origin",
    "samples",
    "allocations",
    "needs",
    "metric",
    "message",
    "GPU: x",
)
"""Names of labels, files, facts and scores: most of them are also names of fields, of some format."""


@pytest.mark.parametrize("word", USERS_WORDS)
def test_it_leaves_the_words_of_users_in_a_run_of_format_1(word):
    session = {"at": "x", "commit": None, "covariate": None, "disturbed": False, "values": {word: 1.0}}
    portable = {word: {"value": 0.5, "at": "x", "commit": None}}
    baseline = {"test": "t", "label": word, "source": None, "files": {word: "ab"}, "portable": portable}
    baseline |= {"sessions": [session], "allocations": {"GPU: side": 1.0, "want": 2.0}}
    grounds = {"margins": {}, "policy": {}, "limits": [], "default_limits": [], "baselines": {word: baseline}}
    measurement = {"test": "t", "label": word, "samples": [], "taken_at": "x", "reference": portable}
    measurement |= {"files": {word: "cd"}, "facts": {word: "y"}, "reasons": {word: ["why: large", "1 GiB"]}}
    result = {"test": "t", "outcome": "passed", "environment": "k", "measurements": [measurement], "verdicts": []}
    result["grounds"] = grounds | {"suite_variance": None, "stores": False}
    machine = {"key": "k", "comparable": {word: "z"}, "details": {}}
    run = {"format": 1, "started_at": "x", "commit": None, "environment": machine, "results": [result]}
    read = codec.decode_run(json.dumps(run).encode())
    measured, stored = read.results[0].measurements[0], read.results[0].criteria.baselines
    assert read.environment.comparable == {word: "z"}
    assert (measured.files, measured.facts) == ({word: "cd"}, {word: "y"})
    assert (measured.reasons, measured.breakdown) == ({word: ("large",)}, {word: ("1 GiB",)})
    assert (stored.keys(), stored[word].sessions[0].values, stored[word].files) == ({word}, {word: 1.0}, {word: "ab"})
    assert measured.reference == stored[word].portable == {word: PortableValue(value=0.5, at="x", commit=None)}
    assert stored[word].allocations == Allocations(host={"want": 2.0}, gpu={"side": 1.0})


FRESH = {"metric": "ram", "values": [], "origin": "fresh"}
MEASURED = {"test": "t", "label": "", "samples": [], "taken_at": "x"}
JUDGED = {"label": "", "metric": "ram", "title": "RAM", "unit": "B", "status": "new", "reason": "no_baseline"}


@pytest.mark.parametrize(
    ("written", "kind", "field", "read"),
    [
        (FRESH | {"notes": ["child: hung", "no GPU"]}, Sample, "failure", "hung"),
        (FRESH | {"notes": ["child: hung", "no GPU"]}, Sample, "notes", ("no GPU",)),
        (FRESH | {"notes": ["void: it differs"]}, Sample, "void", "it differs"),
        (MEASURED | {"anomalies": ["slow", "out of memory: 1 GiB"]}, Measurement, "out_of_memory", "1 GiB"),
        (MEASURED | {"anomalies": ["slow", "out of memory: 1 GiB"]}, Measurement, "anomalies", ("slow",)),
        (MEASURED | {"anomalies": ["slow"]}, Measurement, "out_of_memory", None),
        (
            MEASURED | {"allocations": {"a.py:1": 1, "GPU: b.py:1": 2}},
            Measurement,
            "allocations",
            Allocations(host={"a.py:1": 1}, gpu={"b.py:1": 2}),
        ),
        (MEASURED | {"reasons": {"ram": ["why: large", "a: 1 GiB"]}}, Measurement, "reasons", {"ram": ("large",)}),
        (MEASURED | {"reasons": {"ram": ["why: large", "a: 1 GiB"]}}, Measurement, "breakdown", {"ram": ("a: 1 GiB",)}),
        (JUDGED | {"notes": ["why: large", "rough"]}, Verdict, "reasons", ("large",)),
        (JUDGED | {"notes": ["why: large", "rough"]}, Verdict, "notes", ("rough",)),
    ],
)
def test_it_finds_the_fields_in_the_notes_of_format_1(written, kind, field, read):
    assert getattr(codec.decode(json.dumps(written).encode(), kind, written_in=1), field) == read


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("no baseline; record one: pytest --aiperf-update t", "no baseline", "record one: pytest --aiperf-update t"),
        ("5 right; lucky; renew: pytest --aiperf-update t", "5 right; lucky", "renew: pytest --aiperf-update t"),
        ("10 pairs against main; slower", "10 pairs against main; slower", ""),
    ],
)
def test_it_finds_the_remedy_at_the_end_of_a_message_of_format_1(text, message, remedy):
    verdict = codec.decode(json.dumps(JUDGED | {"message": text}).encode(), Verdict, written_in=1)
    assert (verdict.message, verdict.remedy) == (message, remedy)


@pytest.mark.parametrize(("field", "value"), [("message", 3), ("notes", 3), ("notes", [3]), ("notes", None)])
def test_it_names_the_place_of_a_mistake_in_format_1(field, value):
    run = json.loads(codec.encode_run(RUN)) | {"format": 1, "results": []}
    result = {"test": "t", "outcome": "passed", "environment": "k", "measurements": [], "seconds": 1.0}
    run["results"] = [result | {"verdicts": [JUDGED | {field: value}]}]
    with pytest.raises(CodecError, match=r"not a Verdict of format 1 - at `\$.results\[0\].verdicts\[0\]`"):
        codec.decode_run(json.dumps(run).encode())


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

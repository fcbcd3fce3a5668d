"""The text of a baseline file reads well, and is read back strictly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_aiperf.baselines.file_format import FORMAT, BaselineFile, Entry, StoredValue, parse, render
from pytest_aiperf.vocabulary.baseline import Allocations, Session
from pytest_aiperf.vocabulary.errors import BaselineError
from pytest_aiperf.vocabulary.example_values import pack, rounded

PATH = Path("tests/__aiperf__/test_resnet.json")
SESSION = Session(at="2026-01-01T12:00:00Z", commit="1a2b3c4", covariate=-4.213, disturbed=False, values={})
EXAMPLE = BaselineFile(
    machines={"ci-cpu": {"os": "Linux", "cpu": "Xeon"}},
    tests={
        "test_int8[b-1]": {
            "": Entry(
                source="8d2f0c1b7a6e5d43",
                files={"resnet.onnx": "0123456789abcdef"},
                portable={
                    "model_size": StoredValue(value=11173962.0, at="2026-01-01T12:00:00Z", commit=None),
                    "accuracy": StoredValue(
                        value=0.75, at="2026-01-01T12:00:00Z", commit="1a2b3c4", examples=pack((1.0, 1.0, 1.0, 0.0))
                    ),
                },
                sessions={
                    "ci-cpu": (
                        replace(SESSION, values={"ram": 123400000.0, "latency": 0.002071}),
                        Session(
                            at="2026-01-02T12:00:00Z",
                            commit=None,
                            covariate=None,
                            disturbed=True,
                            values={"latency": 0.0025},
                        ),
                    )
                },
            )
        }
    },
)
TEXT = """\
{
  "format": 1,
  "machines": {
    "ci-cpu": {
      "cpu": "Xeon",
      "os": "Linux"
    }
  },
  "tests": {
    "test_int8[b-1]": {
      "": {
        "files": {
          "resnet.onnx": "0123456789abcdef"
        },
        "portable": {
          "accuracy": {"value": 0.75, "at": "2026-01-01T12:00:00Z", "commit": "1a2b3c4", "examples": "EXAMPLES"},
          "model_size": {"value": 11173962, "at": "2026-01-01T12:00:00Z"}
        },
        "sessions": {
          "ci-cpu": [
            {"at": "2026-01-01T12:00:00Z", "commit": "1a2b3c4", "covariate": -4.213, "latency": 0.002071, "ram": 123400000},
            {"at": "2026-01-02T12:00:00Z", "disturbed": true, "latency": 0.0025}
          ]
        },
        "source": "8d2f0c1b7a6e5d43"
      }
    }
  }
}
""".replace("EXAMPLES", pack((1.0, 1.0, 1.0, 0.0)))  # noqa: E501 - a session is one line


def test_it_is_written_one_metric_and_one_session_per_line() -> None:
    assert render(EXAMPLE) == TEXT


def test_it_is_plain_json() -> None:
    assert json.loads(render(EXAMPLE))["format"] == FORMAT


@pytest.mark.parametrize("stored", [EXAMPLE, BaselineFile()])
def test_it_is_read_back_as_it_was_written(stored: BaselineFile) -> None:
    assert parse(render(stored), PATH) == stored


@pytest.mark.parametrize(
    ("value", "kept"),
    [(0.00207149, 0.002071), (123_456_789.0, 123_500_000.0), (0.0, 0.0), (-4.21345, -4.213), (9.99996, 10.0)],
)
def test_it_keeps_four_significant_digits(value: float, kept: float) -> None:
    assert rounded(value) == kept


def test_it_tells_lines_that_allocated_on_a_device() -> None:
    entry = Entry(source="s", allocations=Allocations(host={"net.py:3 (x)": 8.0}, gpu={"net.py:3 (x)": 9.0}))
    text = render(BaselineFile(tests={"test": {"": entry}}))
    assert '"GPU: net.py:3 (x)": 9' in text
    assert parse(text, PATH).tests["test"][""] == entry


def test_it_orders_sessions_that_a_merge_mixed_up() -> None:
    lines = TEXT.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if '"covariate"' in line)
    old, new = lines[first].rstrip(",\n"), lines[first + 1].rstrip("\n")
    mixed = "".join([*lines[:first], new + ",\n", old + "\n", *lines[first + 2 :]])
    assert mixed != TEXT
    assert parse(mixed, PATH) == EXAMPLE


TEST_PLACE = r'\$\["tests"\]\["test_int8\[b-1\]"\]\[""\]'


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('"format": 1', '"format": "1"', r"\$: 'format' is missing or no version"),
        ('"format": 1', '"format": true', r"\$: 'format'"),
        ('"format": 1', '"format": 0', r"\$: 'format'"),
        ('"format": 1,', "", r"\$: 'format'"),
        ('"tests"', '"tets"', r"\$: 'tests' is missing"),
        ('"machines": {', '"machine": {}, "machines": {', r"\$: 'machine' means nothing here"),
        ('"Xeon"', "3", r'\$\["machines"\]\["ci-cpu"\]\["cpu"\]: a string was expected, not 3'),
        ('"source": "8d2f0c1b7a6e5d43"', '"source": null', TEST_PLACE + r'\["source"\]'),
        ('"value": 0.75', '"value": "0.75"', TEST_PLACE + r'\["portable"\]\["accuracy"\]\["value"\]: a number'),
        ('"value": 0.75', '"value": true', r'\["value"\]: a number was expected, not True'),
        ('"value": 0.75', '"value": NaN', r'\["value"\]: a finite number was expected'),
        ('"value": 0.75', '"value": 1e999', r'\["value"\]: a finite number'),
        ('"value": 0.75', f'"value": 1{"0" * 400}', r'\["value"\]: a finite number'),
        ('"value": 0.75, ', "", r"'value' is missing"),
        ('"examples": "bits:', '"examples": "bats:', r'\["examples"\]: examples are neither'),
        ('"disturbed": true', '"disturbed": 1', r'\["sessions"\]\["ci-cpu"\]\[1\]\["disturbed"\]: true or false'),
        ('"latency": 0.0025', '"latency": null', r'\["ci-cpu"\]\[1\]\["latency"\]: a number'),
        ('{"at": "2026-01-02T12:00:00Z", ', "{", r'\["ci-cpu"\]\[1\]: \'at\' is missing'),
        ('"ram": 123400000', '"latency": 123400000', r'\["ci-cpu"\]\[0\]: the key \'latency\' stands there twice'),
        ('"os": "Linux"', '"os": "Linux",', "line [67], column"),
        ('{"at": "2026-01-02T12:00:00Z", ', '{"at": "yesterday", ', r'\["ci-cpu"\]\[1\]\["at"\]: a time such as'),
        ('{"at": "2026-01-02T12:00:00Z", ', '{"at": "2026-01-02T12:00:00", ', r'\[1\]\["at"\]: a time such as'),
        ('"disturbed": true, "latency": 0.0025}', "", "line 2[0-9], column"),
    ],
)
def test_it_names_file_place_and_remedy_of_what_is_broken(old: str, new: str, place: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(BaselineError, match=place) as raised:
        parse(TEXT.replace(old, new), PATH)
    assert str(raised.value).startswith(str(PATH))
    assert "git checkout -- tests/__aiperf__/test_resnet.json" in str(raised.value)
    assert "pytest --aiperf-update" in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "[" * 100_000, "1" * 5000])
def test_it_refuses_what_is_no_baseline_at_all(text: str) -> None:
    with pytest.raises(BaselineError, match="restore it with"):
        parse(text, PATH)


@pytest.mark.parametrize("length", range(0, len(TEXT) - 2, 37))
def test_it_refuses_a_file_that_was_cut_off(length: int) -> None:
    with pytest.raises(BaselineError, match=r"line [0-9]+, column [0-9]+"):
        parse(TEXT[:length], PATH)


def test_it_asks_for_an_upgrade_where_a_newer_version_wrote() -> None:
    newer = TEXT.replace('"format": 1', '"format": 3').replace('"source"', '"origin"')
    with pytest.raises(
        BaselineError, match=r"written by a newer pytest-aiperf \(format 3; this one reads up to 1\): upgrade"
    ):
        parse(newer, PATH)


def test_it_points_at_an_unresolved_merge() -> None:
    line = '            {"at": "2026-01-02T12:00:00Z", "disturbed": true, "latency": 0.0025}\n'
    merged = TEXT.replace(line, f"<<<<<<< HEAD\n{line}=======\n{line}>>>>>>> main\n")
    assert merged != TEXT
    with pytest.raises(BaselineError, match=r"line 22: unresolved merge conflict.*--ours -- tests"):
        parse(merged, PATH)


def test_it_quotes_a_path_that_a_shell_would_split() -> None:
    with pytest.raises(BaselineError, match=r"git checkout -- 'my tests/x\.json'"):
        parse("", Path("my tests/x.json"))

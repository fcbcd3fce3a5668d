"""The schema of the JSON report is made from the records; `RENEW_GOLDEN=1` writes it anew, for review."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import json
import os
import sys
import typing
from pathlib import Path
from typing import Any

import msgspec

from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.records import Run

FILE = Path(__file__).parents[2] / "docs" / "json-report.schema.json"
NUMBER = {
    "title": "Number",
    "description": "Base units: seconds, bytes, joules, fractions. A number that JSON lacks is a word.",
    "anyOf": [{"type": "number"}, {"enum": list(codec._SPELLED)}],
}


def schema() -> dict[str, Any]:
    """Of a whole report, with each field's own words."""
    records = {kind.__name__: kind for kind in reached(Run, {})}
    made = spelled(msgspec.json.schema(Run))
    for name, definition in made["$defs"].items():
        definition["description"] = inspect.cleandoc(definition["description"])
        if name in records:
            words = documented(records[name])
            for field, content in definition["properties"].items():
                if field in words:
                    definition["properties"][field] = {"description": words[field], **content}
    run = made["$defs"]["Run"]
    run["properties"] = {"format": {"const": codec.FORMAT}, **run["properties"]}
    run["required"] = ["format", *run["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"JSON report of pytest-aiperf, format {codec.FORMAT}",
        "$ref": made["$ref"],
        "$defs": dict(sorted({**made["$defs"], "Number": NUMBER}.items())),
    }


def reached(kind: Any, known: dict[type, None]) -> dict[type, None]:
    """Every record in the fields of a record, itself included."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind not in known:
        known[kind] = None
        for hint in typing.get_type_hints(kind).values():
            reached(hint, known)
    for inner in typing.get_args(kind):
        reached(inner, known)
    return known


def documented(record: type) -> dict[str, str]:
    """Field -> the line under it."""
    module = ast.parse(inspect.getsource(sys.modules[record.__module__]))
    (body,) = (node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == record.__name__)
    return {
        field.target.id: " ".join(line.value.value.split())
        for field, line in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(line, ast.Expr)
        and isinstance(line.value, ast.Constant)
    }


def spelled(content: Any) -> Any:
    """Numbers as the codec writes them."""
    if isinstance(content, dict):
        told = {key: spelled(value) for key, value in content.items()}
        if told.get("type") == "number":
            return {"$ref": "#/$defs/Number", **{key: value for key, value in told.items() if key != "type"}}
        return told
    return [spelled(value) for value in content] if isinstance(content, list) else codec._spell(content)


def test_it_is_up_to_date():
    text = json.dumps(schema(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if os.environ.get("RENEW_GOLDEN"):
        FILE.write_text(text, encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == text, "renew it: RENEW_GOLDEN=1 pytest tests/vocabulary"


def test_every_record_of_a_run_is_in_it():
    described = json.loads(FILE.read_text(encoding="utf-8"))["$defs"]
    for record in reached(Run, {}):
        names = {field.name for field in dataclasses.fields(record)}
        assert names == described[record.__name__]["properties"].keys() - {"format"}


def test_its_history_is_told_up_to_the_present_format():
    told = (FILE.parent / "json-report.md").read_text(encoding="utf-8")
    assert f"| {codec.FORMAT} |" in told

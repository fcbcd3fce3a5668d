"""Whoever needs a metric asks for what it is: no module but its own spells its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest_aiperf
from pytest_aiperf import wiring

PACKAGE = Path(pytest_aiperf.__file__).parent
OWN = PACKAGE / "measuring" / "metrics"
OTHER_WORDS = {
    ("comparing/candidates.py", "latency"): "the head of a column",
    ("comparing/comparison.py", "latency"): "the head of a line",
    ("judging/rules/leak.py", "leak"): "why a row fails",
    ("plugin.py", "max_abs_error"): "a marker",
    ("vocabulary/codec.py", "gpu_leak"): "what runs of format 1 said",
    ("vocabulary/codec.py", "leak"): "what runs of format 1 said",
    ("vocabulary/terms.py", "leak"): "a rule",
    ("vocabulary/terms.py", "speedup"): "a rule",
    ("vocabulary/terms.py", "ram"): "what a machine must have",
}
"""Texts that are no metric's name but equal one, and what they are."""


def texts(source: str) -> Iterator[str]:
    """Every text in a module, those inside f-strings included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def spelled(names: set[str], source: str) -> set[str]:
    """Names, and beginnings that several names share such as `gpu_`."""
    return {
        text
        for text in texts(source)
        if text in names or (text.endswith("_") and sum(name.startswith(text) for name in names) > 1)
    }


def test_no_other_module_spells_the_name_of_a_metric():
    names = set(wiring.known_metrics())
    modules = [path for path in PACKAGE.rglob("*.py") if not path.is_relative_to(OWN)]
    found = {
        (path.relative_to(PACKAGE).as_posix(), text)
        for path in modules
        for text in spelled(names, path.read_text(encoding="utf-8"))
    }
    assert found == set(OTHER_WORDS)


def test_it_would_notice():
    names = {"gpu_process", "gpu_allocated", "latency"}
    assert spelled(names, 'if metric == "latency": pass') == {"latency"}
    assert spelled(names, 'metric.startswith("gpu_")') == {"gpu_"}
    assert spelled(names, 'f"gpu_{kind}"') == {"gpu_"}
    assert spelled(names, '"""The latency."""\nlatency = "latencies of"') == set()

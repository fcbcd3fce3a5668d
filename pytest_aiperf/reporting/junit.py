"""Figures and answers of one test as properties of its JUnit test case."""

from __future__ import annotations

import re

from pytest_aiperf.vocabulary.records import Result, Verdict

_PERCENTILE = re.compile(r"\bp\d+(?:\.\d+)?$")


def properties(result: Result) -> list[tuple[str, str]]:
    """Name and text of each figure: `("aiperf.latency_p50_s", "0.0041")`, `("aiperf.latency_p50.status", "passed")`.

    Numbers are in base units; a label stands before the metric: `aiperf.onnx.latency_p50_s`.
    """
    named = []
    for verdict in result.verdicts:
        name = _name(verdict)
        if verdict.now is not None:
            named.append((f"{name}{verdict.unit.suffix}", repr(float(verdict.now))))
        named.append((f"{name}.status", verdict.status.value))
    return named


def _name(verdict: Verdict) -> str:
    percentile = _PERCENTILE.search(verdict.title)
    words = ["aiperf", verdict.label, f"{verdict.metric}_{percentile[0]}" if percentile else verdict.metric]
    return ".".join(word for word in words if word)

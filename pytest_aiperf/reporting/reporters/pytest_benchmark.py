"""Latencies and load times in the JSON of pytest-benchmark, for the tools that already read it.

github-action-benchmark (`tool: pytest`) takes `fullname` and `stats.ops`, `stddev`, `mean`, `rounds`; Bencher
(`python_pytest`) takes `fullname` and `stats.median`, `iqr`; `pytest-benchmark compare` takes all of it.
"""

from __future__ import annotations

import json
import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pytest_aiperf.measuring.metrics import latency, load_time
from pytest_aiperf.vocabulary.contracts import Reporter
from pytest_aiperf.vocabulary.records import Environment, Measurement, Run
from pytest_aiperf.vocabulary.terms import Origin

FORMAT = "5.3.1"
"""The version of pytest-benchmark whose files these equal, key by key."""

LATENCY = latency.METRIC.name
TIMES = {
    LATENCY: (Origin.IN_PROCESS, Origin.FRESH),
    load_time.WARM.name: (Origin.FRESH, Origin.IN_PROCESS),
    load_time.COLD.name: (Origin.FRESH, Origin.IN_PROCESS),
}
"""Seconds per call or per load, and whose values are taken first; nothing else fits into a file of round times."""


class PytestBenchmark(Reporter):
    """One benchmark per label and time metric; the plain name is the latency of an unlabelled measurement."""

    def render(self, run: Run) -> str:
        content = {
            "machine_info": _machine(run.environment),
            "commit_info": {
                "id": run.commit or "unversioned",
                "time": None,
                "author_time": None,
                "dirty": False,
                "project": "",
                "branch": "(unknown)",
            },
            "benchmarks": list(_benchmarks(run)),
            "datetime": run.started_at,
            "version": FORMAT,
        }
        return json.dumps(content, indent=1, allow_nan=False) + "\n"


create = PytestBenchmark


def _benchmarks(run: Run) -> Iterable[dict[str, Any]]:
    for measurement in (one for result in run.results for one in result.measurements):
        for metric, origins in TIMES.items():
            if seconds := [value for value in measurement.values(metric, *origins) if math.isfinite(value)]:
                yield _benchmark(measurement, metric, seconds, run.environment.key)


def _benchmark(measurement: Measurement, metric: str, seconds: Sequence[float], machine_class: str) -> dict[str, Any]:
    words = ", ".join(word for word in (measurement.label, "" if metric == LATENCY else metric) if word)
    suffix = f" ({words})" if words else ""
    path, bracket, parameters = measurement.test.partition("[")
    return {
        "group": None,
        "name": path.rpartition("::")[2] + bracket + parameters + suffix,
        "fullname": measurement.test + suffix,
        "params": None,
        "param": parameters.removesuffix("]") if bracket else None,
        "extra_info": {"metric": metric, "label": measurement.label, "machine_class": machine_class},
        "options": {
            "disable_gc": True,
            "timer": "perf_counter",
            "min_rounds": len(seconds),
            "max_time": sum(seconds),
            "min_time": 0.0,
            "precision": None,
            "confidence": None,
            "warmup": metric == LATENCY,
        },
        "stats": {**_stats(sorted(seconds)), "data": list(seconds), "iterations": 1},
    }


def _stats(ordered: Sequence[float]) -> dict[str, Any]:
    """The figures of pytest-benchmark, in its definitions."""
    mean = statistics.fmean(ordered)
    stddev = statistics.stdev(ordered) if len(ordered) > 1 else 0.0
    # method 2 for an even, 3 for an odd number of values (Wikipedia, "Quartile", Computing methods): Hazen's for both
    q1, q3 = np.quantile(ordered, (0.25, 0.75), method="hazen").tolist()
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    beyond_stddev = sum(abs(value - mean) > stddev for value in ordered)
    beyond_fences = sum(not low <= value <= high for value in ordered)
    total = math.fsum(ordered)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": stddev,
        "rounds": len(ordered),
        "median": statistics.median(ordered),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": beyond_fences,
        "stddev_outliers": beyond_stddev,
        "outliers": f"{beyond_stddev};{beyond_fences}",
        "ld15iqr": ordered[bisect_left(ordered, low)],
        "hd15iqr": ordered[bisect_right(ordered, high) - 1],
        "ops": len(ordered) / total if total else 0.0,
        "total": total,
    }


def _machine(environment: Environment) -> dict[str, Any]:
    """Every key that pytest-benchmark writes; the machine class stands where it has the machine's name."""
    facts = {**environment.details, **environment.comparable}
    system, _, machine = facts.get("os", "").partition(" ")
    *other, version = facts.get("python", "").split(" ")
    return {
        "node": environment.key,
        "processor": facts.get("cpu", ""),
        "machine": machine,
        "python_compiler": "",
        "python_implementation": other[0] if other else "CPython",
        "python_implementation_version": version,
        "python_version": version,
        "python_build": ["", ""],
        "release": facts.get("kernel", ""),
        "system": system,
        "cpu": facts,
    }

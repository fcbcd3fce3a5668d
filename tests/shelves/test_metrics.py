"""What every metric on the shelf promises."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from pytest_aiperf import shelves, wiring
from pytest_aiperf.baselines import summaries
from pytest_aiperf.judging import judge
from pytest_aiperf.reporting import junit, rows
from pytest_aiperf.vocabulary import codec
from pytest_aiperf.vocabulary.records import Criteria, Environment, Limit, Margins, Measurement, Policy, Result, Sample
from pytest_aiperf.vocabulary.terms import ConfirmedBy, Metric, Need, Origin, Rule, Turns, Unit

NAMES = shelves.names("metrics")
KNOWN = wiring.known_metrics()
HERE = Environment(key="cpu-2", comparable={}, details={})


@pytest.fixture(params=NAMES)
def member(request: pytest.FixtureRequest) -> ModuleType:
    return shelves.module("metrics", request.param)


@pytest.fixture(params=KNOWN)
def metric(request: pytest.FixtureRequest) -> Metric:
    return KNOWN[request.param]


def probes_of(member: ModuleType) -> list[Any]:
    classes = [one for _, one in inspect.getmembers(member, inspect.isclass) if one.__module__ == member.__name__]
    return [one for one in classes if hasattr(one, "plan")]


def measured(metric: Metric) -> Measurement:
    samples = tuple(Sample(metric=metric.name, values=(0.5,) * 40, origin=origin) for origin in Origin)
    return Measurement(test="t.py::t", label="", samples=samples, taken_at="2026-01-01T12:00:00Z")


def test_it_offers_its_metrics(member: ModuleType) -> None:
    """It has a tuple of them, and a line that says what they are."""
    assert isinstance(member.METRICS, tuple)
    assert member.METRICS
    assert all(isinstance(one, Metric) for one in member.METRICS)
    assert member.__doc__


def test_every_name_is_used_once() -> None:
    """It shares no name, and no title, with another member."""
    every = [one for name in NAMES for one in shelves.module("metrics", name).METRICS]
    assert len({one.name for one in every}) == len({one.title for one in every}) == len(every)


def test_its_name_can_be_stored(metric: Metric) -> None:
    """It is a word for files, and has another one for people."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    assert metric.title.strip()


def test_it_says_what_measures_it(metric: Metric) -> None:
    """It names calls that a user can write."""
    assert metric.measured_by.startswith("aiperf.")


def test_the_metrics_that_it_speaks_of_are_known(metric: Metric) -> None:
    """It is limited as, and computed of, metrics on the shelf."""
    assert {metric.limited_as, metric.follows} - {""} <= KNOWN.keys()


def test_what_pairs_do_with_it_can_be_done(metric: Metric, request: pytest.FixtureRequest) -> None:
    """It has turns that somebody takes, where it is confirmed in turns; they time what counts as time."""
    if metric.confirmed_by is not ConfirmedBy.TURNS:
        return
    owner = next(one for one in map(_module, NAMES) if metric in one.METRICS)
    of_its_own_call = probes_of(owner) and "aiperf.infer(" not in metric.measured_by  # which takes its turns, too
    assert metric.turns is not Turns.PROBE or hasattr(owner, "probes") or of_its_own_call
    assert metric.unit in (Unit.SECONDS, Unit.PER_SECOND)
    assert not metric.portable


def test_a_peak_is_of_a_memory(metric: Metric) -> None:
    """It counts bytes, of memory that a machine may not tell about."""
    assert not metric.peak or (metric.unit is Unit.BYTES and metric.needs in Need)


def test_it_is_judged_stored_and_shown(metric: Metric) -> None:
    """It goes all the way: rows with and without a limit, a summary for a baseline, a line, JUnit, JSON."""
    limit = Limit(metric=metric.name, bound=1.0, source="a limit")
    seen = measured(metric)
    for limits in ((), (limit,)):
        criteria = Criteria(
            margins=Margins(),
            policy=Policy(),
            limits=limits,
            default_limits=(),
            baselines={},
            suite_variance=None,
            stores=False,
        )
        verdicts = judge.judge(seen, criteria, metrics=KNOWN, environment=HERE, final=True)
        assert all(verdict.unit is metric.unit for verdict in verdicts)
        result = Result(
            test=seen.test, outcome="passed", environment=HERE.key, measurements=(seen,), verdicts=verdicts, seconds=1.0
        )
        assert len(junit.properties(result)) >= len(verdicts)
        assert not verdicts or rows.Layout(verdicts, width=100).lines(verdicts, notes=True)
        assert codec.decode(codec.encode(result), Result) == result
    storable, _ = summaries.sort_out(seen, KNOWN)
    kept = metric.kept or metric.rule not in (Rule.SHOWN, Rule.SPEEDUP, Rule.LEAK)
    assert [one.metric for one in storable] == ([metric] if kept else [])


def test_its_definition_travels(metric: Metric) -> None:
    """It can be written with a run, and read again."""
    assert codec.decode(codec.encode(metric), Metric) == metric


def test_its_probes_ask_for_turns(member: ModuleType) -> None:
    """It measures nothing by itself: its probes are generators."""
    assert all(inspect.isgeneratorfunction(probe.plan) for probe in probes_of(member))


def test_it_imports_nothing_heavy() -> None:
    """It can be known without any runtime."""
    script = f"""
import sys
from pytest_aiperf import shelves
for name in {NAMES!r}:
    shelves.module("metrics", name)
print({{"numpy", "scipy", "torch", "onnxruntime", "psutil", "pynvml", "msgspec", "pytest"}} & set(sys.modules))
"""
    asked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (asked.stdout.strip(), asked.stderr) == ("set()", "")


def _module(name: str) -> ModuleType:
    return shelves.module("metrics", name)

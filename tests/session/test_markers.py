"""Markers become limits; every mistake is said once, before any test runs."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from pytest_aiperf import plugin
from pytest_aiperf.judging.judge import with_defaults
from pytest_aiperf.session import limit_markers, markers
from pytest_aiperf.vocabulary.records import Margins

MIB = 1024**2
REGISTERED = frozenset({*limit_markers.LIMITS, "aiperf", "parametrize", "slow"})


def read(pytester: pytest.Pytester, source: str, name: str = "test_it") -> markers.Marked:
    items, _ = pytester.inline_genitems(pytester.makepyfile(source), "-Wignore", "-pno:asyncio")
    (item,) = [item for item in items if item.name == name]
    return markers.read(item, REGISTERED)


@pytest.mark.parametrize(
    ("marker", "metric", "bound", "percentile"),
    [
        ("max_load_s(1.5)", "load_warm", 1.5, None),
        ("max_load_s(1.5, cache='cold')", "load_cold", 1.5, None),
        ("max_latency_ms(20)", "latency", 0.020, 50),
        ("max_latency_ms(ms=20, percentile=95)", "latency", 0.020, 95),
        ("max_latency_ms(20, 99.9)", "latency", 0.020, 99.9),
        ("min_throughput(480)", "throughput", 480, None),
        ("max_gpu_mb(500)", "gpu_allocated", 500 * MIB, None),
        ("max_gpu_mb(500, 'reserved')", "gpu_reserved", 500 * MIB, None),
        ("max_gpu_mb(500, kind='process')", "gpu_process", 500 * MIB, None),
        ("max_ram_mb(0.5)", "ram", MIB // 2, None),
        ("max_model_mb(4)", "model_size", 4 * MIB, None),
        ("min_accuracy(0)", "accuracy", 0, None),
        ("min_accuracy(1)", "accuracy", 1, None),
    ],
)
def test_it_reads_each_marker_in_base_units(pytester, marker, metric, bound, percentile):
    marked = read(pytester, f"import pytest\n@pytest.mark.{marker}\ndef test_it(): pass")
    (limit,) = marked.limits
    assert (limit.metric, limit.bound, limit.percentile) == (metric, pytest.approx(bound), percentile)
    assert not marked.mistakes


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ("max_latency_ms('20')", "ms='20': expected a number"),
        ("max_latency_ms(True)", "ms=True: expected a number"),
        ("max_latency_ms(0)", "ms=0: expected a number above zero"),
        ("max_latency_ms(-20)", "above zero"),
        ("max_latency_ms(float('nan'))", "expected a number"),
        ("max_latency_ms(float('inf'))", "above zero"),
        ("max_latency_ms()", "missing a required argument: 'ms'"),
        ("max_latency_ms(20, percentile=0)", "percentile=0: expected a number between 0 and 100"),
        ("max_latency_ms(20, percentile=100)", "between 0 and 100"),
        ("max_latency_ms(20, percentile=101)", "between 0 and 100"),
        ("max_latency_ms(20, percentil=95)", "unexpected keyword argument 'percentil'"),
        ("max_latency_ms(20, label=3)", "label=3: expected a string"),
        ("max_gpu_mb(500, kind='vram')", "expected 'allocated', 'reserved' or 'process'"),
        ("max_load_s(1, cache='hot')", "expected 'warm' or 'cold'"),
        ("min_accuracy(95)", "a fraction between 0 and 1"),
        ("aiperf(max_slowdown=-0.1)", "expected a fraction"),
        ("aiperf(max_slowdown=0.01, tolerance=0.02)", "contradict"),
        ("aiperf(calls=0)", "whole number above zero"),
        ("aiperf(calls=2.5)", "whole number above zero"),
        ("aiperf(speed=1)", "unexpected keyword argument 'speed'"),
        ("aiperf(memory=1)", "expected True or False"),
        ("max_gpu_mbb(500)", "unknown marker max_gpu_mbb: did you mean max_gpu_mb?"),
        ("max_latency(500)", "did you mean max_latency_ms?"),
    ],
)
def test_it_says_what_is_wrong_with_a_marker(pytester, marker, says):
    marked = read(pytester, f"import pytest\n@pytest.mark.{marker}\ndef test_it(): pass")
    (mistake,) = marked.mistakes
    assert says in mistake
    assert not marked.limits


def test_it_leaves_markers_of_others_alone(pytester):
    marked = read(pytester, "import pytest\n@pytest.mark.slow\n@pytest.mark.max_wait(3)\ndef test_it(): pass")
    assert not marked.mistakes


def test_it_lets_the_closest_marker_win(pytester):
    marked = read(
        pytester,
        """
        import pytest
        pytestmark = pytest.mark.max_latency_ms(40)
        @pytest.mark.max_latency_ms(30)
        class TestModel:
            @pytest.mark.max_latency_ms(20)
            @pytest.mark.parametrize("size", [pytest.param(1, marks=pytest.mark.max_latency_ms(10)), 2])
            def test_it(self, size): pass
        """,
        name="test_it[1]",
    )
    assert [limit.source for limit in marked.limits] == ["max_latency_ms(10)"]
    assert not marked.mistakes


def test_it_stacks_different_limits(pytester):
    marked = read(
        pytester,
        """
        import pytest
        pytestmark = pytest.mark.max_latency_ms(40, percentile=99)
        @pytest.mark.max_latency_ms(30)
        @pytest.mark.max_latency_ms(10, label="batch 1")
        @pytest.mark.max_gpu_mb(500)
        @pytest.mark.max_gpu_mb(700, kind="process")
        def test_it(): pass
        """,
    )
    assert len(marked.limits) == 5


def test_it_calls_two_values_at_one_level_a_contradiction(pytester):
    source = "import pytest\n@pytest.mark.max_ram_mb(500)\n@pytest.mark.max_ram_mb(400)\ndef test_it(): pass"
    (mistake,) = read(pytester, source).mistakes
    assert mistake == "max_ram_mb(400) and max_ram_mb(500) contradict each other"


def test_it_takes_each_rule_from_the_closest_marker_that_names_it(pytester):
    marked = read(
        pytester,
        """
        import pytest
        pytestmark = pytest.mark.aiperf(max_slowdown=0.2, calls=50)
        @pytest.mark.aiperf(max_slowdown=0.1)
        def test_it(): pass
        """,
    )
    assert (marked.rules.max_slowdown, marked.rules.calls) == (0.1, 50)
    assert marked.rules.margins(Margins(tolerance=0.03)) == Margins(tolerance=0.03, max_slowdown=0.1)


@pytest.mark.parametrize(("slowest", "tolerance"), [(0.03, 0.01), (0.05, 0.01), (9, 1.8), (0.004, 0.004)])
def test_the_tolerance_goes_with_the_largest_slowdown(slowest, tolerance):
    assert markers.Rules(max_slowdown=slowest).margins(Margins()).tolerance == pytest.approx(tolerance)


def test_a_marker_leaves_every_margin_that_it_does_not_name():
    defaults = Margins(tail_tolerance=0.1, max_tail_slowdown=0.5, load_tolerance=0.2, max_memory_growth=0.3)
    assert markers.Rules(calls=50).margins(defaults) == defaults
    told = markers.Rules(accuracy_margin=0.5).margins(defaults)
    assert told == dataclasses.replace(defaults, accuracy_margin=0.5)


def test_what_pytest_tells_of_each_marker_is_what_stands_at_its_function():
    """Their names stand at the door, too, because an unused plugin must not import the functions."""
    taken = {**limit_markers.LIMITS, "aiperf": markers.Rules}
    told = {line.partition("(")[0]: line.partition("(")[2] for line in markers.own()}
    assert told.keys() == taken.keys() == set(plugin.MARKERS)
    rules = told.pop("aiperf")
    assert rules.partition("): ")[0] == ", ".join(inspect.signature(markers.Rules).parameters)
    for name, line in told.items():
        parameters, _, sentence = line.partition("): ")
        assert parameters == markers._signature(taken[name]).strip("()")
        assert sentence == inspect.getdoc(taken[name]).splitlines()[0].rstrip(".")


def test_it_applies_a_default_only_where_the_metric_was_measured_without_its_own_limit():
    defaults = markers.default_limits({"max_latency_ms": 20.0, "max_ram_mb": 300.0, "min_accuracy": None})
    own = (limit_markers.max_latency_ms(5),)
    assert [limit.metric for limit in with_defaults((), defaults, {"latency"})] == ["latency"]
    assert with_defaults(own, defaults, {"latency"}) == own
    assert with_defaults((), defaults, ()) == ()
    assert defaults[0].source == "max_latency_ms=20 (default)"

"""Beside a memory figure that is bad: phases, and the lines that hold or hold more than before."""

from __future__ import annotations

from pytest_aiperf.vocabulary.baseline import Allocations
from pytest_aiperf.vocabulary.terms import HELD_BEFORE
from tests.judging.worlds import MIB, baseline, limit, measured, only, seen, sessions_of

NOW = Allocations(
    host={"net.py:12 (weights = load())": 60.0 * MIB, "net.py:20 (x = x * 2)": 8.0 * MIB},
    gpu={"net.py:3 (y)": 900.0 * MIB},
)


def notes(*, allocations, stored=None, metric="ram", parts=(), now=100):
    """Of a row over its limit, or above its baseline."""
    samples = [seen(metric, now * MIB, fresh=fresh, parts=dict(parts)) for fresh in (True,) * 5]
    base = None
    if stored is not None:
        base = baseline(sessions=sessions_of(metric, [50 * MIB] * 5), allocations=stored)
    limits = [limit(metric, 70 * MIB)] if base is None else []
    return only(measured(*samples, allocations=allocations), base, limits=limits).remarks


def test_over_a_limit_the_largest_lines_are_named():
    assert notes(allocations=NOW) == (
        "why: 60.0 MiB held by net.py:12 (weights = load())",
        "why: 8.00 MiB held by net.py:20 (x = x * 2)",
    )


def test_what_another_runtime_allocated_has_no_line_and_is_said_so():
    assert notes(allocations=Allocations(host={"imports": 8.0 * MIB, "net.py:3 (x = 1)": 2.0 * MIB})) == (
        "why: 90.0 MiB allocated outside Python and torch (another runtime, its arena)",
        "why: 8.00 MiB held by imports",
    )


def test_a_gpu_figure_has_the_lines_of_the_gpu():
    assert notes(allocations=NOW, metric="gpu_allocated") == ("why: 900 MiB held by net.py:3 (y)",)


def test_above_a_baseline_those_that_grew_are_named_wherever_they_stand_now():
    stored = Allocations(host={"net.py:2 (weights = load())": 20.0 * MIB, "net.py:9 (x = x * 2)": 7.5 * MIB})
    assert notes(allocations=NOW, stored=stored) == (
        "why: 60.0 MiB (was 20.0 MiB) held by net.py:12 (weights = load())",
    )
    assert notes(allocations=NOW, stored=Allocations(host={"net.py:1 (import x)": 3.0 * MIB}))[1] == (
        "why: 8.00 MiB (new) held by net.py:20 (x = x * 2)"
    )


def test_growth_that_no_line_explains_is_said_to_be_another_runtimes():
    assert notes(allocations=NOW, stored=NOW) == (
        "why: no line of Python or torch holds more than in the baseline: another runtime, or its arena",
    )


def test_what_was_not_traced_has_no_lines():
    assert notes(allocations=Allocations()) == ()


def test_phases_are_told_in_their_order():
    parts = {"steady": 60.0 * MIB, "load": 100.0 * MIB, HELD_BEFORE: 2.0 * MIB}
    assert notes(allocations=Allocations(), parts=parts) == (
        "peaks: held before 2.00 MiB, load 100 MiB, steady 60.0 MiB",
    )
    assert notes(allocations=Allocations(), parts={"steady": 60.0 * MIB}) == ()

"""The picture of a family."""

from __future__ import annotations

import pytest

from pytest_aiperf.reporting import pareto_plot
from tests.comparing.test_candidates import candidate, group

pytest.importorskip("matplotlib")
SEEN = group(candidate("int8", 2.0, 0.979), candidate("pruned", 3.0, 0.4, fails=True))


def test_an_svg_names_every_candidate_with_its_size_and_is_the_same_every_time():
    drawn = pareto_plot.draw([SEEN, SEEN], form="svg")
    assert drawn == pareto_plot.draw([SEEN, SEEN], form="svg")
    text = drawn.decode()
    assert all(f"<!-- {name} -->" in text for name in ("int8 1.00 MiB", "pruned 1.00 MiB", "reference 4.00 MiB"))


def test_a_png_is_one():
    assert pareto_plot.draw([SEEN], form="png").startswith(b"\x89PNG")


def test_a_run_without_candidates_says_so():
    assert b"no test compared two candidates" in pareto_plot.draw([], form="svg")

"""The groups of candidates of a run as a picture (SVG), with matplotlib."""

from __future__ import annotations

from pytest_aiperf.reporting.pareto_plot import Picture
from pytest_aiperf.vocabulary.contracts import Reporter

NEEDS = "matplotlib"


def create() -> Reporter:
    """For the shelf."""
    return Picture(form="svg")

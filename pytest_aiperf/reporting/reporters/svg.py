"""The families of a run as a picture (SVG), with matplotlib."""

from __future__ import annotations

from pytest_aiperf.comparing.candidates import groups
from pytest_aiperf.reporting import pareto_plot
from pytest_aiperf.vocabulary.contracts import Reporter
from pytest_aiperf.vocabulary.records import Run

NEEDS = "matplotlib"


class Svg:
    """Quality against latency."""

    def render(self, run: Run) -> bytes:
        return pareto_plot.draw(groups(run), form="svg")


def create() -> Reporter:
    """For the shelf."""
    return Svg()

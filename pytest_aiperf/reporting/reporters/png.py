"""The families of a run as a picture (PNG), with matplotlib."""

from __future__ import annotations

from pytest_aiperf.comparing.candidates import groups
from pytest_aiperf.reporting import pareto_plot
from pytest_aiperf.vocabulary.contracts import Reporter
from pytest_aiperf.vocabulary.records import Run

NEEDS = "matplotlib"


class Png:
    """Quality against latency."""

    def render(self, run: Run) -> bytes:
        return pareto_plot.draw(groups(run), form="png")


def create() -> Reporter:
    """For the shelf."""
    return Png()

"""The families of a run as a picture (PNG), with matplotlib."""

from __future__ import annotations

from pytest_aiperf import pictures
from pytest_aiperf.contracts import Reporter
from pytest_aiperf.families import families
from pytest_aiperf.vocabulary import Run

NEEDS = "matplotlib"


class Png:
    """Quality against latency."""

    name = "png"

    def render(self, run: Run) -> bytes:
        return pictures.draw(families(run), form="png")


def create() -> Reporter:
    """For the shelf."""
    return Png()

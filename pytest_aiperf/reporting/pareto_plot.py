"""Candidates as a picture: quality against latency, marks as large as the model, a line through what nothing beats."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_aiperf.comparing.candidates import REFERENCE, Group, front, groups
from pytest_aiperf.vocabulary.model_figures import ModelFigures
from pytest_aiperf.vocabulary.records import Run
from pytest_aiperf.vocabulary.terms import Unit
from pytest_aiperf.vocabulary.units import text

WIDTH, HEIGHT = 8.0, 4.6
"""Inches; the height of one family."""
LARGEST = 1400.0
"""Area of the largest mark, in square points."""
SMALLEST = 30.0
ABOVE, LINE_HEIGHT, LETTER = 10.0, 13.0, 5.4
"""Pixels between a mark and its name, of a line, and about of a letter."""
BLUE, GREY, RED, LINE = "#3465a4", "#8a8a8a", "#cc3333", "#4e9a06"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Quality against latency, as `svg` or `png`."""

    form: str

    def render(self, run: Run) -> bytes:
        return draw(groups(run), form=self.form)


def draw(groups: Sequence[Group], *, form: str) -> bytes:
    """One picture of all groups, below each other. `form`: `svg` or `png`. Raises ModuleNotFoundError."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "pytest-aiperf", "font.size": 9.0}):
        figure = Figure(figsize=(WIDTH, HEIGHT * max(1, len(groups))), layout="constrained")
        if not groups:
            figure.text(0.5, 0.5, "no test compared two candidates or more", ha="center")
        for place, group in enumerate(groups):
            _draw(figure.add_subplot(len(groups), 1, place + 1), group)
        content = io.BytesIO()
        figure.savefig(content, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)
    return content.getvalue()


def _draw(axes: Any, group: Group) -> None:
    """Latencies are those of the family's reference, divided by each speed-up: candidates were timed beside it."""
    largest = max([1, *(figures.size or 1 for figures in _all_figures(group))])
    marks = [
        _Mark(seconds, 1.0 if figures.score is None else figures.score, figures.size, REFERENCE, GREY)
        for figures, seconds in group.references
    ]
    base = marks[0].seconds
    shown = [one for one in group.candidates if math.isfinite(one.speed.speedup) and one.score is not None]
    marks += [
        _Mark(
            base / one.speed.speedup,
            one.score or 0.0,
            one.variant.candidate.size,
            one.variant.name,
            RED if one.fails else BLUE,
        )
        for one in shown
    ]
    unbeaten = front(group)
    best = sorted((mark.seconds, mark.score) for mark in marks if mark.name in unbeaten)
    if best:
        axes.plot(*zip(*best, strict=True), color=LINE, linewidth=1.2, zorder=1)
    for mark in marks:
        area = SMALLEST if mark.size is None else max(SMALLEST, LARGEST * mark.size / largest)
        face = "none" if mark.color == GREY else mark.color
        axes.scatter([mark.seconds], [mark.score], s=area, facecolors=face, edgecolors=mark.color, alpha=0.75, zorder=2)
    _scale(axes, marks)
    _name(axes, marks)
    axes.set_xlabel("latency of one call")
    axes.set_ylabel(group.scored)
    axes.set_title(f"{group.name}: area is size, green: nothing that passes beats it, red: fails", fontsize=9)
    axes.grid(visible=True, which="major", linewidth=0.3)


@dataclass(frozen=True, slots=True)
class _Mark:
    seconds: float
    score: float
    size: int | None
    name: str
    color: str


def _scale(axes: Any, marks: Sequence[_Mark]) -> None:
    """A logarithm of seconds with few numbers; scores at least a point wide, so that noise does not look large."""
    from matplotlib.ticker import LogLocator, NullLocator

    times, scores = ([mark.seconds for mark in marks], [mark.score for mark in marks])
    wide = math.log(max(times) / min(times)) * 0.12 + 0.1
    axes.set_xscale("log")
    axes.set_xlim(min(times) * math.exp(-wide), max(times) * math.exp(wide))
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda seconds, _: text(seconds, Unit.SECONDS, digits=1))
    span = max(0.01, max(scores) - min(scores))
    axes.set_ylim(min(scores) - 0.2 * span, max(scores) + 0.35 * span)
    axes.yaxis.set_major_formatter(lambda score, _: f"{score:.1%}" if score <= 1 else "")


def _name(axes: Any, marks: Sequence[_Mark]) -> None:
    """Names above their marks; one that would cover another moves up."""
    transform = axes.transData.transform
    taken: list[tuple[float, float, float]] = []
    for mark in sorted(marks, key=lambda mark: mark.seconds):
        x, y = transform((mark.seconds, mark.score))
        size = "" if mark.size is None else f" {text(float(mark.size), Unit.BYTES)}"
        place, width = y + ABOVE, LETTER * len(mark.name + size)
        while any(
            abs(x - other_x) < (width + other) / 2 and abs(place - at) < LINE_HEIGHT for other_x, at, other in taken
        ):
            place += LINE_HEIGHT
        taken.append((x, place, width))
        offset = (0, (place - y) * 72 / axes.figure.dpi)
        axes.annotate(
            mark.name + size,
            (mark.seconds, mark.score),
            xytext=offset,
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )


def _all_figures(group: Group) -> list[ModelFigures]:
    return [*(figures for figures, _ in group.references), *(one.variant.candidate for one in group.candidates)]

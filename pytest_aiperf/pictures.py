"""Families as a picture: quality against latency, the area of a mark its size, what nothing beats joined by a line."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

from pytest_aiperf.families import Family, front
from pytest_aiperf.terms import Unit
from pytest_aiperf.units import text

WIDTH, HEIGHT = 8.0, 4.6
"""Inches; the height of one family."""
LARGEST = 1400.0
"""Area of the largest mark, in square points."""
SMALLEST = 30.0
BLUE, GREY, RED, LINE = "#3465a4", "#8a8a8a", "#cc3333", "#4e9a06"


def draw(families: Sequence[Family], *, form: str) -> bytes:
    """One picture of all families, below each other. `form`: `svg` or `png`. Raises ModuleNotFoundError."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "pytest-aiperf", "font.size": 9.0}):
        figure = Figure(figsize=(WIDTH, HEIGHT * max(1, len(families))), layout="constrained")
        if not families:
            figure.text(0.5, 0.5, "no test compared two candidates or more", ha="center")
        for place, family in enumerate(families):
            _draw(figure.add_subplot(len(families), 1, place + 1), family)
        content = io.BytesIO()
        figure.savefig(content, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)
    return content.getvalue()


def _draw(axes: Any, family: Family) -> None:
    shown = [one for one in family.contenders if math.isfinite(one.speed.candidate_seconds) and one.score is not None]
    unbeaten = front(family)
    largest = max([1, *(figures.size or 1 for figures in _all_figures(family))])
    marks: list[tuple[float, float, str]] = []
    for figures, seconds in family.references:
        score = 1.0 if figures.score is None else figures.score
        _mark(axes, seconds, score, _area(figures.size, largest), GREY, hollow=True)
        marks.append((seconds, score, f"reference\n{_told(figures.size)}"))
    for one in shown:
        color = RED if one.fails else BLUE
        seconds, score = one.speed.candidate_seconds, one.score or 0.0
        _mark(axes, seconds, score, _area(one.variant.candidate.size, largest), color, hollow=False)
        marks.append((seconds, score, f"{one.variant.name}\n{_told(one.variant.candidate.size)}"))
    best = sorted((one.speed.candidate_seconds, one.score or 0.0) for one in shown if one.variant.name in unbeaten)
    if best:
        axes.step(*zip(*best, strict=True), where="post", color=LINE, linewidth=1.2, zorder=1)
    for seconds, score, name in marks:
        axes.annotate(name, (seconds, score), xytext=(0, 9), textcoords="offset points", ha="center", fontsize=7)
    axes.set_xscale("log")
    axes.margins(0.15, 0.25)
    axes.xaxis.set_major_formatter(lambda seconds, _: text(seconds, Unit.SECONDS))
    axes.xaxis.set_minor_formatter(lambda seconds, _: text(seconds, Unit.SECONDS, digits=1))
    axes.tick_params(axis="x", which="both", labelsize=7)
    axes.yaxis.set_major_formatter(lambda score, _: f"{score:.1%}")
    axes.set_xlabel("latency of one call")
    axes.set_ylabel(family.scored)
    axes.set_title(f"{family.name}: area is size, green: nothing that passes beats it, red: fails", fontsize=9)
    axes.grid(visible=True, which="both", linewidth=0.3)


def _mark(axes: Any, seconds: float, score: float, area: float, color: str, *, hollow: bool) -> None:
    axes.scatter(
        [seconds], [score], s=area, facecolors="none" if hollow else color, edgecolors=color, alpha=0.75, zorder=2
    )


def _all_figures(family: Family) -> list[Any]:
    return [
        *(figures for figures, _ in family.references),
        *(one.variant.candidate for one in family.contenders),
    ]


def _area(size: int | None, largest: int) -> float:
    return SMALLEST if size is None else max(SMALLEST, LARGEST * size / largest)


def _told(size: int | None) -> str:
    return "" if size is None else text(float(size), Unit.BYTES)

"""Candidates of one reference side by side: as a table, and which of them nothing else beats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pytest_aiperf.comparing.comparison import Comparison, speedup_text, variant_of
from pytest_aiperf.measuring.metrics import latency
from pytest_aiperf.measuring.metrics.comparison import AGREEMENT
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.model_figures import ModelFigures, Variant
from pytest_aiperf.vocabulary.pairing import Pairing, Speed
from pytest_aiperf.vocabulary.records import Result, Run, Verdict
from pytest_aiperf.vocabulary.terms import Status, Unit
from pytest_aiperf.vocabulary.text import WIDTH, word_of, wrapped

REFERENCE = "reference"
FEWEST = 2
_WORST_FIRST = (
    Status.ANOMALOUS,
    Status.REGRESSED,
    Status.OVER_LIMIT,
    Status.UNMEASURED,
    Status.INCONCLUSIVE,
    Status.NEW,
    Status.IMPROVED,
    Status.PASSED,
)
_MARK = "*"
_LEGEND = f"{_MARK} nothing that passes is faster without being less accurate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One line of a family."""

    variant: Variant
    speed: Speed
    word: str = ""
    """What was decided; empty where nothing was."""
    fails: bool = False

    @property
    def score(self) -> float | None:
        """Quality, or, where nothing was scored, how often it answers like its reference."""
        score = self.variant.candidate.score
        return self.variant.agreement if score is None else score


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All candidates of one group."""

    name: str
    candidates: tuple[Candidate, ...]

    @property
    def references(self) -> tuple[tuple[ModelFigures, float], ...]:
        """Each original that they are held against, with the seconds of one call."""
        found: dict[tuple[float | None, int | None], tuple[ModelFigures, list[float]]] = {}
        for one in self.candidates:
            reference = one.variant.reference
            _, seconds = found.setdefault((reference.score, reference.size), (reference, []))
            seconds.append(one.speed.reference_seconds)
        return tuple((figures, median(seconds)) for figures, seconds in found.values())

    @property
    def scored(self) -> str:
        """What the quality figure is called."""
        first = self.candidates[0].variant
        return AGREEMENT.name if first.candidate.score is None else first.score


def groups(run: Run) -> tuple[Group, ...]:
    """The groups of a run that have at least two candidates, in the order of their tests."""
    found: dict[str, list[Candidate]] = {}
    for result in run.results:
        for measurement in result.measurements:
            if (variant := measurement.variant) is not None:
                worst = _worst(result, measurement.label)
                found.setdefault(variant.group, []).append(
                    Candidate(
                        variant=variant,
                        speed=_speed(measurement.pairing),
                        word="" if worst is None else word_of(worst),
                        fails=worst is not None and worst.fails,
                    )
                )
    return tuple(
        Group(name=name, candidates=tuple(members)) for name, members in found.items() if len(members) >= FEWEST
    )


def _speed(pairing: Pairing | None) -> Speed:
    from pytest_aiperf.judging.rules.speedup import speed_of  # with scipy: only where models were compared

    return Speed() if pairing is None else speed_of(pairing.blocks or pairing.screen, latency.METRIC.name)


def _worst(result: Result, label: str) -> Verdict | None:
    of_label = [verdict for verdict in result.verdicts if verdict.label == label]
    return min(of_label, key=lambda verdict: (not verdict.fails, _WORST_FIRST.index(verdict.status)), default=None)


def front(group: Group) -> frozenset[str]:
    """Names of those that nothing beats: no other is certainly faster and at least as accurate.

    Candidates that fail their test compete with nobody. The reference competes, at a speed-up of 1.
    """
    rivals = [one for one in group.candidates if not one.fails and one.score is not None]
    rivals = [one for one in rivals if math.isfinite(one.speed.speedup)]
    return frozenset(one.variant.name for one in rivals if not _is_beaten(one, rivals))


def _is_beaten(one: Candidate, rivals: Sequence[Candidate]) -> bool:
    """By a score, with the least speed-up that is possible; nothing is certainly faster than itself."""
    original = one.variant.reference.score
    field = [(other.score or 0.0, other.speed.low) for other in rivals]
    field.append((1.0 if original is None else original, 1.0))
    return any(least > one.speed.high and score >= (one.score or 0.0) for score, least in field)


Cells = list[str]


def table(group: Group) -> tuple[Cells, list[Cells]]:
    """The head, and a line for each reference and each candidate, the fastest first."""
    head = ["", "", "latency", "speed-up", "size", group.scored, "alike", ""]
    lines = []
    for figures, seconds in group.references:
        score = units.text(figures.score, Unit.FRACTION)
        lines.append(["", REFERENCE, units.text(seconds, Unit.SECONDS), "", _size(figures.size, None), score, "", ""])
    unbeaten = front(group)
    for one in sorted(group.candidates, key=lambda one: -_known(one.speed.speedup)):
        variant, speed = one.variant, one.speed
        lines.append(
            [
                _MARK if variant.name in unbeaten else "",
                variant.name,
                _seconds(speed.candidate_seconds),
                speedup_text(speed),
                _size(variant.candidate.size, variant.reference.size),
                units.text(one.score, Unit.FRACTION),
                "" if variant.agreement is None else f"{variant.agreement:.1%}",
                one.word,
            ]
        )
    return head, lines


def text(group: Group, *, width: int = WIDTH) -> list[str]:
    """The table in columns, under its name."""
    head, lines = table(group)
    columns = [max(map(len, column)) for column in zip(*lines, strict=True)]
    columns = [max(column, len(title)) if column else 0 for column, title in zip(columns, head, strict=True)]
    spare = width - sum(columns) - 2 * len(columns)
    columns[1] = max(len(REFERENCE), columns[1] + min(spare, 0))
    shown = [_line([*line[:1], line[1][-columns[1] :], *line[2:]], columns) for line in (head, *lines)]
    marked = [f"  {_LEGEND}"] if any(line[0] for line in lines) else []
    return [*wrapped(group.name, width=width), *shown, *marked] if group.name else [*shown, *marked]


def _line(cells: Cells, columns: Sequence[int]) -> str:
    """One line; a column without entries is left out."""
    mark, name, *figures, word = cells
    right = "  ".join(cell.rjust(column) for cell, column in zip(figures, columns[2:-1], strict=True) if column)
    return f"{mark.ljust(columns[0])} {name.ljust(columns[1])}  {right}  {word}".rstrip()


def markdown(group: Group) -> str:
    """The same as a table of Markdown."""
    head, lines = table(group)
    ruler = ["---", "---", *["---:"] * (len(head) - 3), "---"]
    escaped = [[cell.replace("*", r"\*").replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ruler, *escaped)) + "\n\n\\" + _LEGEND


def _known(number: float) -> float:
    return 0.0 if math.isnan(number) else number


def _seconds(seconds: float) -> str:
    return "" if math.isnan(seconds) else units.text(seconds, Unit.SECONDS)


def _size(size: int | None, of: int | None) -> str:
    if size is None:
        return ""
    return units.text(float(size), Unit.BYTES) + (f" {size / of:.2f}x" if of else "")


class Comparisons(dict[str, Comparison]):
    """What `aiperf.compare` returns for several candidates: name -> `Comparison`; the text is one table of all."""

    def __str__(self) -> str:
        variants = {name: variant_of(one, group="", name=name) for name, one in self.items()}
        members = [Candidate(variant=variant, speed=self[name].speed) for name, variant in variants.items()]
        return "\n".join(text(Group(name="", candidates=tuple(members))))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(self)}>"

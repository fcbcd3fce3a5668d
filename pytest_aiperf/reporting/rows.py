"""Verdicts as aligned rows of text, and the block that a failed test shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.records import Interval, Result, Run, Verdict
from pytest_aiperf.vocabulary.terms import Status, Unit
from pytest_aiperf.vocabulary.text import INDENT, WIDTH, listed, word_of, wrapped

_GAP = "  "
_NARROWEST_TITLE = 12
_RATIOS = (Unit.SECONDS, Unit.BYTES, Unit.PER_SECOND)

Paint = Callable[[str, Verdict], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The cells of one verdict; an empty one has nothing to say."""

    title: str
    now: str
    was: str
    change: str
    """Of the value itself: `-2.6 points` is a loss of accuracy, `+98 %` a slower call."""
    limit: str
    word: str


def decided(run: Run) -> tuple[int, int]:
    """How many figures have an answer, and of how many; those that are new have nothing to be held against yet."""
    held = [verdict.status for _, verdict in run.figures if verdict.status is not Status.NEW]
    return sum(not status.is_open for status in held), len(held)


def row_of(verdict: Verdict) -> Row:
    """A verdict in words, with enough digits that a value and what it is held against differ."""
    absolute = verdict.limit if verdict.limit_source else None
    digits = units.tell_apart((verdict.now, verdict.baseline, absolute), verdict.unit)
    return Row(
        title=f"{verdict.label}: {verdict.title}" if verdict.label else verdict.title,
        now=units.text(verdict.now, verdict.unit, digits=digits),
        was=units.text(verdict.baseline, verdict.unit, digits=digits),
        change=_interval_text(_of_the_value(verdict), verdict.unit),
        limit=units.bound(absolute, verdict.unit) if absolute is not None else _allowed(verdict),
        word=word_of(verdict),
    )


def failure_text(result: Result, *, width: int = WIDTH) -> str:
    """The block of a failed test: a header, and one row for every figure that failed it; empty if none did."""
    failed = [verdict for verdict in result.verdicts if verdict.fails]
    if not failed:
        return ""
    return "\n".join([*wrapped(_headline(failed), width=width), *Layout(failed, width=width).lines(failed, notes=True)])


def _headline(failed: Sequence[Verdict]) -> str:
    """What pytest's own line of a failed test shows: the figures and what is wrong with each."""
    return f"aiperf: {listed([f'{row_of(verdict).title} {word_of(verdict).lower()}' for verdict in failed])}"


class Layout:
    """Column widths that fit every one of `verdicts` into `width` columns."""

    def __init__(self, verdicts: Iterable[Verdict], *, width: int = WIDTH) -> None:
        self.width = width
        table = [_cells(verdict) for verdict in verdicts]
        self.columns = [max(map(len, column)) for column in zip(*table, strict=True)] if table else []
        rest = sum(len(_GAP) + column for column in self.columns[1:] if column)
        if self.columns:
            self.columns[0] = min(self.columns[0], max(_NARROWEST_TITLE, width - len(INDENT) - rest))

    def lines(
        self, verdicts: Sequence[Verdict], *, notes: bool, reasons: bool = False, paint: Paint | None = None
    ) -> list[str]:
        """The rows with their messages; each note, and a message that rows in a row share, only once.

        The reasons of a bad figure come first. Without `notes`, only the first of them, and open answers come without
        their remedies, each of which names one test: the summary shows one for all.
        """
        lines: list[str] = []
        told: set[str] = set()
        for verdict, following in zip(verdicts, [*verdicts[1:], None], strict=True):
            text = verdict.told if notes or not verdict.status.is_open else verdict.message
            message = " ".join(filter(None, (text, f"[{verdict.reason}]" if reasons else "")))
            row, below = self._row(verdict, message=message, paint=paint)
            if below and below[-1] == message and _is_told_by(following, verdict):
                below.pop()
            fresh = [remark for remark in verdict.remarks if remark not in told]
            told.update(fresh)
            others = [note for note in fresh if note in verdict.notes]
            why = fresh[len(others) :]
            lines += row
            for line in (*(why if notes else why[:1]), _GAP.join(below), *(others if notes else ())):
                lines += wrapped(line, width=self.width, indent=INDENT * 2) if line else []
        return lines

    def _row(self, verdict: Verdict, *, message: str, paint: Paint | None) -> tuple[list[str], list[str]]:
        """The line of a verdict, after a line for a title that is too long, and what found no place on it."""
        title, *others, word = _cells(verdict)
        fits = len(title) <= self.columns[0]
        above = [] if fits else wrapped(title, width=self.width, indent=INDENT)
        cells = [title if fits else "", *others]
        start = INDENT + "".join(
            cell.ljust(column) + _GAP for cell, column in zip(cells, self.columns, strict=False) if column
        )
        room = self.width - len(start) - self.columns[-1]
        behind, below = _placed(verdict.limit_source or "", message, room=room)
        if room < 0:
            return above + wrapped(start.strip() + _GAP + word, width=self.width, indent=INDENT), below
        padding = " " * (self.columns[-1] - len(word)) if behind else ""
        return [*above, start + (paint(word, verdict) if paint else word) + padding + behind], below


def _is_told_by(following: Verdict | None, verdict: Verdict) -> bool:
    """Whether the next row says the same: no baseline, no GPU."""
    if following is None or verdict.status.is_bad:
        return False
    return all(getattr(following, name) == getattr(verdict, name) for name in ("status", "reason", "message"))


def _placed(source: str, message: str, *, room: int) -> tuple[str, list[str]]:
    """What fits behind the row, in order, and what goes below it."""
    behind = ""
    below: list[str] = []
    for text, beside in ((source, source), (message, message if message.startswith("[") else f"({message})")):
        if text and not below and len(behind + _GAP + beside) <= room:
            behind += _GAP + beside
        elif text:
            below.append(text)
    return behind, below


def _cells(verdict: Verdict) -> list[str]:
    row = row_of(verdict)
    return [
        row.title,
        row.now,
        f"{'reference' if verdict.of_reference else 'was'} {row.was}" if row.was else "",
        row.change,
        f"limit {row.limit}" if row.limit else "",
        row.word,
    ]


def change_text(now: float | None, was: float | None, unit: Unit) -> str:
    """The change from one value to another: in percent, of a fraction in points; empty where it means nothing."""
    return _interval_text(_from_two_values(now, was, unit), unit)


def _interval_text(interval: Interval | None, of: Unit) -> str:
    if interval is None:
        return ""
    number, unit = _numbers(of)
    estimate = f"{number(interval.mid)}{unit}"
    if not interval.low < interval.high:
        return estimate
    return f"{estimate} [{number(interval.low)}, {number(interval.high)}]"


def _allowed(verdict: Verdict) -> str:
    if verdict.limit is None:
        return ""
    allowed = _mirrored(verdict.limit, verdict.unit) if _falls_when_worse(verdict) else verdict.limit
    number, unit = _numbers(verdict.unit)
    if verdict.unit in _RATIOS:
        return f"{number(allowed).removesuffix('.0')}{unit}"
    if verdict.unit is Unit.FRACTION:
        return number(allowed)
    return f"{'+' if allowed > 0 else ''}{units.bound(allowed, verdict.unit)}"


def _numbers(unit: Unit) -> tuple[Callable[[float], str], str]:
    if unit in _RATIOS:
        return units.percent_number, " %"
    if unit is Unit.FRACTION:
        return units.points_number, " points"
    return units.difference, ""


def _of_the_value(verdict: Verdict) -> Interval | None:
    """The change of the value itself; in the record, positive is worse, whatever the value does."""
    worse = verdict.worse_by
    if worse is None:
        return _from_two_values(verdict.now, verdict.baseline, verdict.unit)
    if not _falls_when_worse(verdict):
        return worse
    low, mid, high = (_mirrored(end, verdict.unit) for end in (worse.high, worse.mid, worse.low))
    return Interval(low=low, mid=mid, high=high, confidence=worse.confidence)


def _from_two_values(now: float | None, was: float | None, unit: Unit) -> Interval | None:
    if now is None or was is None or not math.isfinite(now - was):
        return None
    if unit not in _RATIOS:
        change = now - was
    elif was > 0:
        change = now / was - 1
    else:
        return None
    return Interval(low=change, mid=change, high=change, confidence=0.0)


def _falls_when_worse(verdict: Verdict) -> bool:
    if verdict.unit in _RATIOS:
        return verdict.unit is Unit.PER_SECOND
    if verdict.worse_by is None or verdict.now is None or verdict.baseline is None:
        return True
    return (verdict.now - verdict.baseline) * verdict.worse_by.mid <= 0


def _mirrored(worse: float, unit: Unit) -> float:
    """A rate falls by 1 - 1/(1 + w) where the time per item grows by w; other values by the same amount."""
    if unit is not Unit.PER_SECOND:
        return -worse
    return 1 / (1 + worse) - 1 if worse > -1 else math.inf

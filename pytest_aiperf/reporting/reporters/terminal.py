"""The summary at the end of a run: what is not a plain pass, and one line of counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from pytest_aiperf.comparing import candidates
from pytest_aiperf.measuring.metrics import device_time, energy, latency
from pytest_aiperf.reporting import rows
from pytest_aiperf.vocabulary import units
from pytest_aiperf.vocabulary.contracts import Reporter
from pytest_aiperf.vocabulary.records import Change, Measurement, Result, Run, Verdict
from pytest_aiperf.vocabulary.terms import Origin, Status, Unit
from pytest_aiperf.vocabulary.text import WIDTH, listed, word_of, wrapped

RECORD_NEW = "pytest --aiperf-update-new-only"
RENEW = "pytest --aiperf-update"

_ALIKE = 4
"""As many figures with the same open answer are shown one by one; more become one line."""
_MOST_CHANGES = 30
_SHARES = (50, 90, 95, 99)
"""Percent of the calls: how long no slower one of them took."""
_SHORT = 30
_NARROWEST = 40
_PLAIN, _RED, _GREEN, _YELLOW = "\x1b[0m", "\x1b[31m", "\x1b[32m", "\x1b[33m"


class Terminal(Reporter):
    """The summary as a text without colours."""

    def render(self, run: Run) -> str:
        return summary(run, verbosity=1) + "\n"


create = Terminal


def summary(run: Run, *, verbosity: int = 0, width: int = WIDTH, details: bool = False, color: bool = False) -> str:
    """At verbosity -1 notes and counts, at 0 what is not a plain pass, above or with `details` every row."""
    width = max(_NARROWEST, min(width, WIDTH))
    parts: list[list[str]] = []
    if verbosity >= 0:
        everything = verbosity > 0 or details
        grouped = {} if everything else _alike(run)
        parts += _tests(run, grouped, width=width, everything=everything, details=details, color=color)
        parts += _groups(grouped, width=width)
        parts += _tables(run, width=width)
        parts += _changes(run.changes, width=width, everything=everything)
        parts += _hints(run, width=width)
    parts += [wrapped(f"note: {note}", width=width) for note in run.notes]
    parts.append(_counts(run, width=width))
    return "\n".join(line for part in parts for line in part)


Kind = tuple[Status, str]
Row = tuple[str, Verdict]


def _kind(verdict: Verdict) -> Kind | None:
    if verdict.status is Status.IMPROVED:
        return verdict.status, ""
    return (verdict.status, verdict.message or verdict.reason) if verdict.status.is_open else None


def _alike(run: Run) -> dict[Kind, list[Row]]:
    """The open answers that so many figures share that one line says more than all their rows."""
    kinds: dict[Kind, list[Row]] = {}
    for test, verdict in run.figures:
        if kind := _kind(verdict):
            kinds.setdefault(kind, []).append((test, verdict))
    return {kind: members for kind, members in kinds.items() if len(members) > _ALIKE}


def _tests(
    run: Run, grouped: dict[Kind, list[Row]], *, width: int, everything: bool, details: bool, color: bool
) -> Iterable[list[str]]:
    shown = [
        (result, [verdict for verdict in result.verdicts if everything or _worth_a_row(verdict, grouped)])
        for result in run.results
    ]
    layout = rows.Layout((verdict for _, verdicts in shown for verdict in verdicts), width=width)
    for result, verdicts in shown:
        if not verdicts:
            continue
        lines = layout.lines(verdicts, notes=details, reasons=details, paint=_paint if color else None)
        seen = _what_was_seen(result, width=width, details=details) if everything else []
        yield [*wrapped(result.test, width=width), *lines, *seen]


def _worth_a_row(verdict: Verdict, grouped: dict[Kind, list[Row]]) -> bool:
    return verdict.status is not Status.PASSED and _kind(verdict) not in grouped


def _groups(grouped: dict[Kind, list[Row]], *, width: int) -> Iterable[list[str]]:
    for (status, message), members in grouped.items():
        tests = list(dict.fromkeys(test for test, _ in members))
        word = word_of(members[0][1])
        head = f"{units.counted(len(members), 'figure')} of {units.counted(len(tests), 'test')} {word}"
        if status is Status.IMPROVED:
            yield [head]
            continue
        yield [*wrapped(f"{head}: {message}", width=width), *wrapped(listed(tests), width=width, indent="  ")]


def _tables(run: Run, *, width: int) -> Iterable[list[str]]:
    for group in candidates.groups(run):
        yield ["", *candidates.text(group, width=width)]


def changes_text(changes: Sequence[Change], *, width: int = WIDTH) -> str:
    """What was stored, as one text."""
    lines = [line for part in _changes(changes, width=width, everything=True) for line in part]
    return "\n".join(lines) or "nothing to store"


def _changes(changes: Sequence[Change], *, width: int, everything: bool) -> Iterable[list[str]]:
    """What an update stored, old -> new; values stored for the first time are only counted where they are many."""
    if not changes:
        return
    first = [change for change in changes if change.old is None]
    count_only = len(first) > _ALIKE and not everything
    worth_a_line = [change for change in changes if not (count_only and change.old is None)]
    shown = worth_a_line if everything else worth_a_line[:_MOST_CHANGES]
    yield [f"stored: {_change_counts(changes)}"]
    cells = [_change_cells(change) for change in shown]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    test = ""
    for change, texts in zip(shown, cells, strict=True):
        if change.test != test:
            test = change.test
            yield wrapped(test, width=width)
        name, old, new, moved = (text.ljust(column) for text, column in zip(texts, widths, strict=True))
        yield wrapped(f"{name}  {old} -> {new}  {moved}  {change.note}".rstrip(), width=width, indent="  ")
    if len(shown) < len(worth_a_line):
        yield [f"  and {len(worth_a_line) - len(shown)} more (-v shows all)"]


def _change_cells(change: Change) -> tuple[str, str, str, str]:
    """Its name, the old value and the new one, and how far it moved."""
    digits = units.tell_apart((change.old, change.new), change.unit)
    old, new = (units.text(value, change.unit, digits=digits) for value in (change.old, change.new))
    name = f"{change.label}: {change.metric}" if change.label else change.metric
    return name, old or "new", new or "dropped", rows.change_text(change.new, change.old, change.unit)


def _change_counts(changes: Sequence[Change]) -> str:
    kinds = Counter(
        "new" if change.old is None else "dropped" if change.new is None else "renewed" for change in changes
    )
    return ", ".join(f"{kinds[kind]} {kind}" for kind in ("new", "renewed", "dropped") if kinds[kind])


def _hints(run: Run, *, width: int) -> Iterable[list[str]]:
    stale = {
        test
        for test, verdict in run.figures
        if verdict.status.is_open and verdict.status is not Status.NEW and verdict.remedy
    }
    if not run.changes and any(verdict.status is Status.NEW for _, verdict in run.figures):
        yield wrapped(f"to record what is new: {RECORD_NEW}", width=width)
    if not run.changes and stale:
        names = f"to renew what cannot be compared ({units.counted(len(stale), 'test')}): {RENEW}, with their names"
        yield wrapped(names, width=width)
    if run.unused:
        head = f"{units.counted(len(run.unused), 'baseline')} that no test uses any more (dropped by {RENEW}):"
        yield [*wrapped(head, width=width), *wrapped(listed(run.unused), width=width, indent="  ")]


def _counts(run: Run, *, width: int) -> list[str]:
    verdicts = [verdict for _, verdict in run.figures]
    if not verdicts:
        return wrapped(f"aiperf: nothing was measured on {run.environment.key}", width=width)
    counts = Counter(verdict.status for verdict in verdicts)
    answers = ", ".join(
        f"{counts[status]} {status.value.replace('_', ' ')}{_why(status, verdicts)}"
        for status in Status
        if counts[status]
    )
    size = f"{units.counted(len(run.results), 'test')}, {units.counted(len(verdicts), 'figure')}"
    spent = units.duration(sum(result.seconds for result in run.results))
    decided, held = rows.decided(run)
    share = f"; decided {decided} of {held}" if decided < held else ""
    return wrapped(f"aiperf: {size}: {answers} on {run.environment.key} ({spent} measuring){share}", width=width)


def _why(status: Status, verdicts: Sequence[Verdict]) -> str:
    """The reason of what could not be measured, where there is only one."""
    reasons = {verdict.message for verdict in verdicts if verdict.status is status is Status.UNMEASURED}
    reason = reasons.pop() if len(reasons) == 1 else ""
    return f" ({reason})" if 0 < len(reason) <= _SHORT else ""


def _what_was_seen(result: Result, *, width: int, details: bool) -> list[str]:
    """The spread of its latencies; with `details` all that is known: parts of figures, notes, facts of its models."""
    of_metric = {verdict.metric: verdict.unit for verdict in result.verdicts}
    texts = [text for measurement in result.measurements for text in _percentiles(measurement)]
    if details:
        texts += [text for measurement in result.measurements for text in _seen(measurement, of_metric)]
    return [line for text in dict.fromkeys(texts) for line in wrapped(text, width=width, indent="    ")]


def _percentiles(measurement: Measurement) -> Iterable[str]:
    """Of its calls; their own time on a device, and their energy."""
    prefix = f"{measurement.label}: " if measurement.label else ""
    seconds, on_device, joules = (
        measurement.values(one.METRIC.name, Origin.IN_PROCESS) for one in (latency, device_time, energy)
    )
    if ordered := sorted(seconds):
        slowest = {share: ordered[math.ceil(share / 100 * len(ordered)) - 1] for share in _SHARES}
        shown = ", ".join(f"p{share} {units.text(value, Unit.SECONDS)}" for share, value in slowest.items())
        yield f"{prefix}latency: {shown} of {len(ordered)} calls"
    if on_device:
        share = device_time.busy_share(seconds, on_device)
        busy = "" if share is None else f", {share:.0%} of the latency"
        yield f"{prefix}device time: p50 {units.text(median(on_device), Unit.SECONDS)}{busy}"
    if joules:
        yield f"{prefix}energy per call: {units.text(joules[0], Unit.JOULES)}"


def _seen(measurement: Measurement, of_metric: Mapping[str, Unit]) -> Iterable[str]:
    prefix = f"{measurement.label}: " if measurement.label else ""
    for sample in measurement.samples:
        unit = of_metric.get(sample.metric)
        parts = sample.parts.items() if unit is not None else ()  # of a figure without a row they are told elsewhere
        told = [*(f"{name} {units.text(value, unit)}" for name, value in parts if unit is not None), *sample.told]
        if sample.foreign_share is not None:
            told.append(f"other processes used {sample.foreign_share * 100:.0f} % of the processors")
        if told:
            yield f"{prefix}{sample.metric}: {', '.join(told)}"
    facts = [f"{name} {value}" for name, value in measurement.facts.items()]
    devices = [f"{name} {value}" for name, value in measurement.conditions.items()]
    disturbances, anomalies = measurement.disturbances, measurement.disqualified
    for name, texts in (("model", facts), ("on", devices), ("disturbed", disturbances), ("anomaly", anomalies)):
        if texts:
            yield f"{prefix}{name}: {', '.join(texts)}"


def _paint(word: str, verdict: Verdict) -> str:
    if verdict.fails or verdict.status.is_bad:
        return f"{_RED}{word}{_PLAIN}"
    return f"{_YELLOW if verdict.status.is_open else _GREEN}{word}{_PLAIN}"

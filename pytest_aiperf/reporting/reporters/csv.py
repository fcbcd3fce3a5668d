"""One line per verdict, in base units and full precision, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io

from pytest_aiperf.vocabulary.contracts import Reporter
from pytest_aiperf.vocabulary.records import Interval, Result, Run, Verdict

COLUMNS = (
    "started_at",
    "commit",
    "environment",
    "test",
    "label",
    "metric",
    "title",
    "unit",
    "status",
    "fails",
    "reason",
    "now",
    "baseline",
    "worse_by",
    "worse_by_low",
    "worse_by_high",
    "confidence",
    "limit",
    "limit_source",
    "message",
    "notes",
)


class Csv:
    """What is unknown is an empty cell; `worse_by` is a fraction, positive is worse."""

    def render(self, run: Run) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for result in run.results:
            for verdict in result.verdicts:
                writer.writerow(_cells(run, result, verdict))
        return text.getvalue()


def create() -> Reporter:
    """For the shelf."""
    return Csv()


def _cells(run: Run, result: Result, verdict: Verdict) -> tuple[object, ...]:
    return (
        run.started_at,
        run.commit,
        result.environment,
        result.test,
        verdict.label,
        verdict.metric,
        verdict.title,
        verdict.unit.value,
        verdict.status.value,
        str(verdict.fails).lower(),
        verdict.reason,
        verdict.now,
        verdict.baseline,
        *_interval(verdict.worse_by),
        verdict.limit,
        verdict.limit_source,
        verdict.told,
        " | ".join(verdict.remarks),
    )


def _interval(worse_by: Interval | None) -> tuple[float | None, ...]:
    if worse_by is None:
        return (None, None, None, None)
    return (worse_by.mid, worse_by.low, worse_by.high, worse_by.confidence)

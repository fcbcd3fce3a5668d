"""One line per verdict, in base units and full precision, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pytest_aiperf.vocabulary.contracts import Reporter
from pytest_aiperf.vocabulary.records import Result, Run, Verdict


class Row(NamedTuple):
    """What one line tells of."""

    run: Run
    result: Result
    verdict: Verdict


COLUMNS: Mapping[str, Callable[[Row], object]] = {
    "started_at": lambda row: row.run.started_at,
    "commit": lambda row: row.run.commit,
    "environment": lambda row: row.result.environment,
    "test": lambda row: row.result.test,
    "label": lambda row: row.verdict.label,
    "metric": lambda row: row.verdict.metric,
    "title": lambda row: row.verdict.title,
    "unit": lambda row: row.verdict.unit.value,
    "status": lambda row: row.verdict.status.value,
    "fails": lambda row: str(row.verdict.fails).lower(),
    "reason": lambda row: row.verdict.reason,
    "now": lambda row: row.verdict.now,
    "baseline": lambda row: row.verdict.baseline,
    "worse_by": lambda row: row.verdict.worse_by and row.verdict.worse_by.mid,
    "worse_by_low": lambda row: row.verdict.worse_by and row.verdict.worse_by.low,
    "worse_by_high": lambda row: row.verdict.worse_by and row.verdict.worse_by.high,
    "confidence": lambda row: row.verdict.worse_by and row.verdict.worse_by.confidence,
    "limit": lambda row: row.verdict.limit,
    "limit_source": lambda row: row.verdict.limit_source,
    "message": lambda row: row.verdict.told,
    "notes": lambda row: " | ".join(row.verdict.remarks),
}


class Csv(Reporter):
    """What is unknown is an empty cell; `worse_by` is a fraction, positive is worse."""

    def render(self, run: Run) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for result in run.results:
            for verdict in result.verdicts:
                writer.writerow(cell(Row(run, result, verdict)) for cell in COLUMNS.values())
        return text.getvalue()


create = Csv

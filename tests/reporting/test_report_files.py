"""The files of a run's reports: one that cannot be made costs nobody else's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from pytest_aiperf.reporting.report_files import ReportFiles
from tests.reporting.reporters.realistic import RUN


def test_a_format_that_raises_is_named_and_the_other_reports_are_written(tmp_path: Path):
    texts = {"broken": lambda _: 1 / 0, "words": lambda _: "so"}
    files = ReportFiles(
        wanted=("broken:a.txt", "words:b.txt"),
        directory=tmp_path,
        names=tuple(texts),
        member=lambda name: SimpleNamespace(create=lambda: SimpleNamespace(render=texts[name])),
    )
    assert files.write(RUN) == ["report broken:a.txt was not written: ZeroDivisionError: division by zero"]
    assert (tmp_path / "b.txt").read_text() == "so"

"""The files of a run's reports: one that cannot be made costs nobody else's."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_aiperf import shelves
from pytest_aiperf.reporting.report_files import ReportFiles
from pytest_aiperf.vocabulary.errors import UsageError
from tests.reporting.reporters.realistic import RUN


def test_a_format_that_raises_is_named_and_the_other_reports_are_written(tmp_path: Path):
    texts = {"broken": lambda _: 1 / 0, "words": lambda _: "so"}
    files = ReportFiles(
        wanted=("broken:a.txt", "words:b.txt"),
        directory=tmp_path,
        create=lambda name: SimpleNamespace(render=texts[name]),
    )
    assert files.write(RUN) == ["report broken:a.txt was not written: ZeroDivisionError: division by zero"]
    assert (tmp_path / "b.txt").read_text() == "so"


def test_a_format_that_nobody_asked_for_is_not_created(tmp_path: Path):
    asked = []
    files = ReportFiles(wanted=("two-words:b.txt",), directory=tmp_path, create=asked.append)
    files.check()
    assert asked == ["two-words"]


def test_a_format_that_nobody_offers_is_told_before_the_run(tmp_path: Path):
    files = ReportFiles(wanted=("jsn:b.txt",), directory=tmp_path, create=partial(shelves.create, "reporters"))
    with pytest.raises(UsageError, match=r"^no reporter 'jsn'; there are: .*mean json\?$"):
        files.check()

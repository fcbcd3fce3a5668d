"""The files of a run's reports: one that cannot be made costs nobody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_aiperf.reporting.report_files import ReportFiles
from pytest_aiperf.vocabulary.errors import UsageError
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


def test_a_format_that_nobody_asked_for_is_not_imported(tmp_path: Path):
    asked = []

    def member(name):
        asked.append(name)
        return SimpleNamespace(create=None)

    files = ReportFiles(wanted=("two-words:b.txt",), directory=tmp_path, names=("broken", "two_words"), member=member)
    files.check()
    assert asked == ["two-words"]
    with pytest.raises(UsageError, match="there is no format 'other'; there are: broken, two-words"):
        replace(files, wanted=("other:b.txt",)).check()


def test_a_reporter_that_cannot_be_created_is_no_unknown_format(tmp_path: Path):
    member = SimpleNamespace()
    files = ReportFiles(wanted=("words:b.txt",), directory=tmp_path, names=("words",), member=lambda name: member)
    with pytest.raises(UsageError, match=r"--aiperf-report=words:b\.txt: namespace\(\) has no function create\(\)"):
        files.check()

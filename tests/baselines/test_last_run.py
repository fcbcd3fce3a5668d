"""The last run, kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pytest_aiperf.baselines import last_run
from pytest_aiperf.vocabulary.errors import AiperfError
from tests.reporting.reporters.realistic import RUN


def same(one: object, other: object) -> bool:
    """Equal, where NaN equals NaN."""
    return repr(one) == repr(other)


def test_it_holds_nothing_at_first(tmp_path: Path):
    with pytest.raises(AiperfError, match="no run is stored here; run `pytest --aiperf` first"):
        last_run.read(tmp_path)


def test_it_keeps_the_latest_run_and_no_other(tmp_path: Path):
    last_run.save(tmp_path, RUN)
    later = dataclasses.replace(RUN, started_at="2026-02-01T12:00:00Z")
    last_run.save(tmp_path, later)
    assert same(last_run.read(tmp_path), later)


def test_its_folder_is_none_of_gits_business(tmp_path: Path):
    last_run.save(tmp_path, RUN)
    assert (tmp_path / last_run.FOLDER / ".gitignore").read_text() == "*\n"

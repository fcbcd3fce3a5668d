"""What every reporter on the shelf promises."""

from __future__ import annotations

import dataclasses
import importlib
import math
import pkgutil

import pytest

import pytest_aiperf.reporting.reporters
from pytest_aiperf.vocabulary.contracts import Reporter
from pytest_aiperf.vocabulary.records import Run
from pytest_aiperf.vocabulary.terms import Status
from tests.reporting.reporters.realistic import CHANGES, RUN, result, verdict

MEMBERS = [
    module.name
    for module in pkgutil.iter_modules(pytest_aiperf.reporting.reporters.__path__)
    if hasattr(importlib.import_module(f"pytest_aiperf.reporting.reporters.{module.name}"), "create")
]
ODD_TEXT = 'tests/test_ö.py::test[a|b,"c"-<d>]'


@pytest.fixture(params=MEMBERS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def reporter(name: str) -> Reporter:
    module = importlib.import_module(f"pytest_aiperf.reporting.reporters.{name}")
    if hasattr(module, "NEEDS"):
        pytest.importorskip(module.NEEDS)
    return importlib.import_module(f"pytest_aiperf.reporting.reporters.{name}").create()


def with_odd_numbers() -> Run:
    odd = [
        verdict("latency", Status.ANOMALOUS, now=now, baseline=baseline, message=ODD_TEXT, label="ü", fails=True)
        for now in (math.nan, math.inf, -math.inf, 0.0, -1.0, 1e300)
        for baseline in (None, math.nan, 0.0, 1e-300)
    ]
    return dataclasses.replace(RUN, results=(result(ODD_TEXT, *odd),))


def test_the_shelf_has_its_members():
    assert {"terminal", "json", "markdown", "csv", "pytest_benchmark"} <= set(MEMBERS)


def test_it_returns_text_that_ends_with_a_line_or_a_picture(reporter: Reporter):
    rendered = reporter.render(RUN)
    assert rendered if isinstance(rendered, bytes) else rendered.endswith("\n")


def test_it_says_the_same_twice(reporter: Reporter):
    assert reporter.render(RUN) == reporter.render(RUN)


def test_it_prints_and_writes_nothing(reporter: Reporter, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reporter.render(RUN)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_it_names_what_was_measured(reporter: Reporter):
    rendered = reporter.render(RUN)  # pictures show comparisons only: tests/test_pictures.py
    assert isinstance(rendered, bytes) or "tests/test_resnet.py::test_int8" in rendered


def test_it_survives_a_run_of_nothing(reporter: Reporter):
    assert reporter.render(dataclasses.replace(RUN, results=(), unused=(), notes=())).strip()


def test_it_survives_an_update(reporter: Reporter):
    assert reporter.render(dataclasses.replace(RUN, changes=CHANGES)).strip()


def test_it_survives_numbers_and_names_that_nobody_expects(reporter: Reporter):
    rendered = reporter.render(with_odd_numbers())
    assert rendered if isinstance(rendered, bytes) else rendered.encode("utf-8")


def test_it_keeps_colours_out_of_files(reporter: Reporter):
    rendered = reporter.render(RUN)
    assert isinstance(rendered, bytes) or "\x1b" not in rendered

"""Another package brings one file each: a metric with its limit, a framework, a device, a store, a report."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.documented import example
from tests.plugin.repository import Repository

TOKENS = '''
"""Seconds until the first token: a quarter of each call; and the tokens that a call buffers."""

from pytest_aiperf import Better, Limit, Metric, Rule, Sample, TimedCalls, Unit

FIRST = Metric(name="first_token", title="first token", unit=Unit.SECONDS, better=Better.LOWER, rule=Rule.TIME,
               portable=False, per_call=True)
BUFFERED = Metric(name="buffered", title="buffered tokens", unit=Unit.NUMBER, better=Better.LOWER, rule=Rule.EXACT,
                  portable=True)
METRICS = (FIRST, BUFFERED)


class FirstToken:
    metrics = (FIRST,)

    def __init__(self, calls):
        self.calls = calls

    def plan(self, tools):
        values = []
        for _ in range(self.calls):
            values.append((yield TimedCalls()) / 4)
        return (Sample(metric=FIRST.name, values=tuple(values)),)


class Buffered:
    metrics = (BUFFERED,)

    def plan(self, tools):
        yield TimedCalls()
        return (Sample(metric=BUFFERED.name, values=(640.0,)),)


def probes(wanted):
    return (FirstToken(wanted.calls),) if wanted.timed else (Buffered(),)


def max_first_token_ms(ms, percentile=50, *, label=None):
    """Longest time to the first token in milliseconds."""
    if not ms > 0:
        raise ValueError(f"ms={ms!r}: expected a number above zero")
    return Limit(metric=FIRST.name, bound=ms / 1e3, source="", percentile=percentile, label=label)


MARKERS = {"max_first_token_ms": max_first_token_ms}
'''

ENGINE = """
from pytest_aiperf import Framework


class Engine:
    def generate(self, count):
        return sum(range(count))


class Acme(Framework):
    name = "acme"

    def owns(self, model):
        return isinstance(model, Engine)

    def bind(self, model, inputs, options):
        return lambda: model.generate(*inputs, **options)

    def facts(self, model):
        return {"engine": "acme 1.0"}


def create():
    return Acme()
"""

CHIP = """
from pytest_aiperf import Accelerator, GpuMemory


class Chip(Accelerator):
    name = "chip"

    def initialised(self):
        return True

    def wait(self):
        pass

    def memory(self):
        return (GpuMemory(device="CHIP-0", allocated_peak=3 * 1024**2, reserved_peak=None, process=None),)

    def facts(self):
        return {"chip": "acme c1"}


def create():
    return Chip()
"""

STORE = """
from pytest_aiperf.baselines.stores import json_files


def create(root):
    return json_files.create(root / "elsewhere")
"""

WORDS = """
class Words:
    name = "words"

    def render(self, run):
        rows = [(row.title, row.status.value) for result in run.results for row in result.verdicts]
        return "\\n".join(f"{title} is {status}" for title, status in rows) + "\\n"


def create():
    return Words()
"""

TESTS = """
import pytest
from acme_engine import Engine

@pytest.mark.max_first_token_ms(1000)
@pytest.mark.max_gpu_mb(100)
def test_generates(aiperf):
    assert aiperf.infer(Engine(), 2000) == 1999000

@pytest.mark.max_first_token_ms(1e-6, percentile=90)
def test_is_late(aiperf):
    aiperf.infer(Engine(), 2000)
"""
POINTS = """
[pytest_aiperf.metrics]
first-token = acme_first_token
[pytest_aiperf.frameworks]
acme = acme_engine
[pytest_aiperf.accelerators]
chip = acme_chip
[pytest_aiperf.stores]
elsewhere = acme_store
[pytest_aiperf.reporters]
words = acme_words
"""
CLI = (sys.executable, "-m", "pytest_aiperf.cli")
RUN = ("--strict-markers", "--aiperf-store=elsewhere", "--aiperf-calls=40", "--aiperf-processes=1")


METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"


@pytest.fixture
def install(project):
    """Install a package: its files and its entry points; return the folder that it lies in."""
    site = project.root.parent / f"{project.root.name}-site"

    def install(files: Mapping[str, str], points: str, name: str = "acme") -> Path:
        about = {"METADATA": METADATA.format(name=name), "entry_points.txt": points}
        for file, text in {**files, **{f"{name}-1.0.dist-info/{part}": text for part, text in about.items()}}.items():
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).write_text(text, encoding="utf-8")
        return site

    return install


@pytest.fixture
def run(project, install):
    """Run pytest with the package installed, in every process of the project."""
    files = {
        "acme_first_token.py": TOKENS,
        "acme_engine.py": ENGINE,
        "acme_chip.py": CHIP,
        "acme_store.py": STORE,
        "acme_words.py": WORDS,
    }
    site = install(files, POINTS)
    project.write("test_model.py", TESTS)
    return lambda *arguments, **more: project.pytest(*arguments, PYTHONPATH=str(site), **more)


def test_all_members_of_another_package_take_part(project, run, monkeypatch):
    result = run("--aiperf-update", *RUN, "-v", "--aiperf-report=words:words.txt")
    rows = project.rows("test_model.py::test_generates")
    assert rows["first token p50"][0] == rows["buffered tokens"][0] == "passed"
    result.stdout.fnmatch_lines(["*first token p50*", "*max_first_token_ms(1e-06, percentile=90)*"])
    assert project.rows("test_model.py::test_is_late")["first token p90"][0] == "over_limit"
    assert rows["GPU peak, allocated"][0] == "passed"
    (measurement,) = project.last()["test_model.py::test_generates"]["measurements"]
    assert measurement["facts"]["engine"] == "acme 1.0"
    assert "first token p90 is over_limit" in (project.root / "words.txt").read_text().splitlines()

    stored_in = project.root / "elsewhere/__aiperf__/test_model.json"
    stored_in.unlink()
    with monkeypatch.context() as installed:
        installed.setenv("PYTHONPATH", f"{project.root.parent / project.root.name}-site", prepend=os.pathsep)
        accepted = project.pytester.run(*CLI, "accept")
    assert accepted.ret == 0
    assert accepted.outlines[-1] == "where: --aiperf-store=elsewhere"

    assert not project.baseline().exists()
    stored = json.loads(stored_in.read_text())
    (entry,) = [one for name, one in stored["tests"].items() if "test_generates" in name]
    assert "first_token" in json.dumps(entry)
    assert "640" in json.dumps(entry)

    run("--aiperf", *RUN, "-k", "generates")
    assert project.rows("test_model.py::test_generates")["buffered tokens"] == ("passed", "within_margin")
    assert project.rows("test_model.py::test_generates")["first token p50"][1] not in ("no_baseline", "gone")


ENGINES = """
import time
import acme_forests
import pytest


class Engine:
    def generate(self, text, callback):
        callback(0.001)
        time.sleep(0.001)


@pytest.fixture
def engine():
    return Engine()


@pytest.mark.max_first_token_ms(20)
def test_is_limited(aiperf, engine):
    aiperf.call(engine.generate, "x", arrived.append)


def test_streams_nothing(aiperf):
    assert aiperf.infer(acme_forests.Forest(), [1, 2]) == 3
"""


def test_what_the_documentation_shows_runs_beside_tests_that_have_nothing_to_do_with_it(project, install):
    site = install(
        {
            "acme/first_token.py": example("class FirstToken"),
            "acme/forests.py": example("class Forests"),
            "acme/words.py": example("class Words"),
            "acme_forests.py": "class Forest:\n    def predict(self, rows):\n        return sum(rows)\n",
        },
        "[pytest_aiperf.metrics]\nfirst-token = acme.first_token\n"
        "[pytest_aiperf.frameworks]\nforests = acme.forests\n[pytest_aiperf.reporters]\nwords = acme.words\n",
    )
    project.write("test_engine.py", example("def test_the_first_token_comes_soon") + ENGINES)
    arguments = ("--aiperf-update", "--aiperf-calls=5", "--strict-markers", "--aiperf-report=words:words.txt")
    assert project.pytest(*arguments, PYTHONPATH=str(site)).ret == 0
    streams = [
        project.rows(f"test_engine.py::{test}") for test in ("test_the_first_token_comes_soon", "test_is_limited")
    ]
    assert [rows["first token p50"][0] for rows in streams] == ["passed", "passed"]
    assert "first token p50" not in project.rows("test_engine.py::test_streams_nothing")
    assert "first token p50 is passed" in (project.root / "words.txt").read_text().splitlines()

    for command in (("replay", ".aiperf/last.json"), ("accept",)):
        told = project.pytester.run(*CLI, *command)
        assert told.ret == 1
        assert told.errlines == ["pytest-aiperf: no metric 'first_token' here; install the package that offers it"]


@pytest.mark.parametrize("member", ["first_token", "engine", "store"])
def test_a_member_that_cannot_be_imported_ends_the_run_in_one_line(project, run, member):
    project.write("conftest.py", f"import sys; sys.modules['acme_{member}'] = None")
    result = run("--aiperf", *RUN)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (told,) = filter(None, result.errlines)
    assert f" of acme (acme_{member}) cannot be imported: ModuleNotFoundError: " in told
    assert told.endswith("; mend or uninstall it")


def test_an_unknown_store_ends_the_run_with_the_names_of_all(run):
    result = run("--aiperf", "--aiperf-store=nope")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (told,) = filter(None, result.errlines)
    assert told == "ERROR: --aiperf-store=nope: no store 'nope'; there are: elsewhere, json-files"


def test_mistakes_in_a_marker_of_another_package_are_found_at_collection(project, run):
    project.write("test_model.py", TESTS.replace("max_first_token_ms(1000)", "max_first_token_ms(-1)"))
    result = run("--aiperf", *RUN)
    assert result.ret != 0
    result.stderr.fnmatch_lines(["*max_first_token_ms(-1): ms=-1: expected a number above zero*"])
    listed = run("--markers", fast=False)
    listed.stdout.fnmatch_lines(["@pytest.mark.max_first_token_ms(ms, percentile=50, ?, label=None): Longest time to*"])


@pytest.mark.parametrize(
    ("instead", "says"),
    [
        ("return None", "acme_first_token made None of it, no pytest_aiperf.Limit; mend it"),
        ("return {}['ms']", "KeyError: 'ms'; expected max_first_token_ms(*"),
        ("return Limit(metric='x', source='', bound=float('nan'))", "bound=nan, percentile=None: no number*"),
        (
            "return Limit(metric='x', source='', bound=1, percentile=100)",
            "bound=1, percentile=100: no number, or not in 0..100*",
        ),
    ],
)
def test_what_a_marker_of_another_package_makes_is_checked_at_collection(run, install, instead, says):
    install({"acme_first_token.py": TOKENS.replace("return Limit(", f"{instead}\n    return Limit(")}, POINTS)
    result = run("--aiperf", *RUN)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*2 mistakes in markers; no test was run", f"*: {says}"])


def test_a_wrong_member_ends_the_run_in_one_line(run, install):
    install({"acme_words.py": "def create():\n    pass\n", "acme_first_token.py": TOKENS}, POINTS)
    result = run("--aiperf", *RUN, "--aiperf-report=words:words.txt")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (told,) = filter(None, result.errlines)
    assert told == "ERROR: reporter 'words' of acme (acme_words) creates None, which lacks render; mend or uninstall it"


def test_a_module_whose_probes_are_none_takes_no_part(project, run, install):
    install({"acme_first_token.py": TOKENS.replace("return (FirstToken", "return None and (FirstToken")}, POINTS)
    run("--aiperf", *RUN, "-k", "generates")
    rows = project.rows("test_model.py::test_generates")
    assert "buffered tokens" in rows
    assert "first token p50" not in rows


@pytest.mark.parametrize("strict", ["--strict-markers", "-Werror"])
def test_a_run_that_measures_nothing_knows_the_markers_where_an_unknown_one_is_a_mistake(run, strict):
    assert run(strict, fast=False).ret == 0


@pytest.mark.slow
def test_a_metric_of_another_package_is_paired(project, run):
    made = Repository(project)
    made.slow_down(1.0)
    run(
        *("--aiperf", "--aiperf-against=HEAD", "--aiperf-pairs=always", "--aiperf-calls=5", "tests"),
        "--aiperf-pairs-budget=30",
    )
    assert project.rows("tests/test_net.py::test_forward")["first token p50"] == ("regressed", "slower")

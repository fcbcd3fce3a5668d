"""What a user may name: every public name resolves, lazily, and a user's annotations pass a strict type checker."""

from __future__ import annotations

import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pytest_aiperf
from pytest_aiperf import Status, TimedCalls
from pytest_aiperf.vocabulary import codec
from tests.documented import example
from tests.reporting.reporters.realistic import RUN

USERS_FILE = """
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_aiperf import Bench, Comparison, Framework, Run, Status, read_run


@pytest.fixture
def compared(aiperf: Bench) -> Comparison:
    comparison: Comparison = aiperf.compare(abs, abs, [1.0])
    return comparison


def failed(path: Path) -> list[str]:
    run: Run = read_run(path)
    return [result.test for result in run.results if any(row.status is Status.REGRESSED for row in result.verdicts)]


class Forests(Framework):
    name = "forests"

    def owns(self, model: object) -> bool:
        return callable(model)

    def bind(self, model: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Callable[[], Any]:
        return lambda: model(*inputs, **options)


def create() -> Framework:
    return Forests()
"""


@pytest.mark.parametrize("name", pytest_aiperf.__all__)
def test_every_public_name_resolves(name: str):
    assert getattr(pytest_aiperf, name).__name__ == name


@pytest.mark.parametrize("error", [pytest_aiperf.AiperfError, pytest_aiperf.BaselineError, pytest_aiperf.UsageError])
def test_an_error_is_shown_under_the_name_that_people_import(error: type[Exception]):
    assert traceback.format_exception_only(error("so")) == [f"pytest_aiperf.{error.__name__}: so\n"]
    assert type(pickle.loads(pickle.dumps(error("so")))) is error  # noqa: S301 - written one line above


def test_all_of_them_come_with_a_star():
    names: dict[str, object] = {}
    exec("from pytest_aiperf import *", names)  # noqa: S102 - the statement under test stands in modules only
    assert set(pytest_aiperf.__all__) <= names.keys()


def test_they_are_listed_and_nothing_else_is_found():
    assert set(dir(pytest_aiperf)) == {*pytest_aiperf.__all__, "__version__"}
    assert pytest_aiperf.__version__
    with pytest.raises(AttributeError, match="has no attribute 'Bank'"):
        _ = pytest_aiperf.Bank


def test_to_import_the_package_imports_no_part_of_it():
    script = "import sys, pytest_aiperf; print([name for name in sys.modules if name.startswith('pytest_aiperf.')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_report_is_read_as_the_run_that_it_shows(tmp_path: Path):
    file = tmp_path / "out.json"
    file.write_bytes(codec.encode_run(RUN))
    assert repr(pytest_aiperf.read_run(file)) == repr(RUN)  # NaN equals NaN there


def test_a_file_that_is_no_report_is_told_by_its_name(tmp_path: Path):
    file = tmp_path / "other.json"
    file.write_text("{}")
    with pytest.raises(pytest_aiperf.AiperfError, match=r"other\.json: this is not a run of pytest-aiperf"):
        pytest_aiperf.read_run(file)


def test_the_framework_of_the_documentation_works(monkeypatch: pytest.MonkeyPatch):
    class Forest:
        def predict(self, rows):
            return sum(rows)

    monkeypatch.setitem(sys.modules, "acme_forests", SimpleNamespace(Forest=Forest))
    framework = _documented("class Forests")["create"]()
    assert framework.owns(Forest())
    assert not framework.owns(object())
    assert framework.bind(Forest(), ([1, 2],), {})() == 3
    assert framework.size(Forest()) is None


def test_the_metric_of_the_documentation_works():
    names = _documented("class FirstToken")
    (probe,) = names["probes"](SimpleNamespace(timed=True, calls=2))
    plan = probe.plan(None)
    assert next(plan) == TimedCalls()
    names["arrived"].append(0.25)
    assert plan.send(1.0) == TimedCalls()
    names["arrived"].append(0.5)
    with pytest.raises(StopIteration) as ended:
        plan.send(1.0)
    assert ended.value.value[0].values == (0.25, 0.5)
    assert names["MARKERS"]["max_first_token_ms"](20).bound == 0.02


def test_the_reporter_of_the_documentation_works():
    result = SimpleNamespace(verdicts=(SimpleNamespace(title="latency p50", status=Status.PASSED),))
    assert (
        _documented("class Words")["create"]().render(SimpleNamespace(results=(result,))) == "latency p50 is passed\n"
    )


def _documented(beginning: str) -> dict[str, Any]:
    """What the example with these words defines."""
    names: dict[str, Any] = {}
    exec(example(beginning), names)  # noqa: S102 - what we tell users to write
    return names


def checked(file: Path, text: str) -> str:
    """What a strict type checker says of a user's file."""
    pytest.importorskip("mypy")
    file.write_text(text)
    cache = Path(__file__).parent.parent / ".mypy_cache"  # that of the project's own check: most is known there
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={cache}", "--config-file=", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_a_users_annotations_pass_a_strict_type_checker(tmp_path: Path):
    assert checked(tmp_path / "test_theirs.py", USERS_FILE) == "Success: no issues found in 1 source file\n"


def test_a_strict_type_checker_knows_every_name_and_no_other(tmp_path: Path):
    names = "from pytest_aiperf import Allocations, Bank, PortableValue, Session, __version__\nx: str = __version__\n"
    (told, _) = checked(tmp_path / "test_theirs.py", names).splitlines()
    assert 'Module "pytest_aiperf" has no attribute "Bank"' in told

"""What stands on a shelf, and what other packages put there."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_aiperf import shelves, wiring
from pytest_aiperf.vocabulary.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install a package that offers a framework of its own."""
    (tmp_path / "acme_runtime.py").write_text("def create(*args):\n    return args\n")
    points = tmp_path / "acme-1.0.dist-info" / "entry_points.txt"
    points.parent.mkdir()
    (points.parent / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    points.write_text("[pytest_aiperf.frameworks]\nacme-rt = acme_runtime\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield points
    sys.modules.pop("acme_runtime", None)


def test_a_file_on_the_shelf_is_a_member() -> None:
    """It lists the files of a shelf by name, sorted."""
    assert {"onnxruntime", "plain", "torch"} <= set(shelves.names("frameworks"))
    assert list(shelves.names("frameworks")) == sorted(shelves.names("frameworks"))


def test_listing_imports_no_member() -> None:
    """It knows the names without importing what they name."""
    script = """
import sys
from pytest_aiperf import shelves, wiring
names = shelves.names("frameworks")
print([name for name in names if f"pytest_aiperf.runtimes.frameworks.{name}" in sys.modules])
shelves.module("frameworks", "plain")
print([name for name in names if f"pytest_aiperf.runtimes.frameworks.{name}" in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n['plain']\n"


def test_another_package_adds_a_member(acme: Path) -> None:
    """It finds what an entry point offers, as it stands there."""
    assert "acme_rt" in shelves.names("frameworks")
    assert shelves.module("frameworks", "acme_rt").create(1, 2) == (1, 2)


@pytest.mark.parametrize("name", ["acme-rt", "acme_rt"])
def test_dashes_and_underscores_are_the_same(acme: Path, name: str) -> None:
    """It takes a name as files spell it and as command lines do."""
    assert shelves.module("frameworks", name).__name__ == "acme_runtime"


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    """It names every member, and the one that was probably meant."""
    known = ", ".join(shelves.names("frameworks"))
    with pytest.raises(UsageError) as raised:
        shelves.create("frameworks", "onxruntime")
    assert str(raised.value) == f"no framework 'onxruntime'; there are: {known}; did you mean onnxruntime?"


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    """It does not guess where nothing is close."""
    with pytest.raises(UsageError, match=r"no framework 'zzz'; there are: [\w, ]+$"):
        shelves.module("frameworks", "zzz")


def test_two_members_of_one_name_are_refused(acme: Path) -> None:
    """It does not choose between its own member and one of another package, nor between two packages."""
    acme.write_text("[pytest_aiperf.frameworks]\nplain = acme_runtime\n")
    assert shelves.names("frameworks").count("plain") == 1
    with pytest.raises(UsageError, match=r"two frameworks are called 'plain'.*acme_runtime"):
        shelves.create("frameworks", "plain")


def test_a_member_without_create_is_named(acme: Path) -> None:
    """It says which member cannot be made."""
    acme.write_text("[pytest_aiperf.frameworks]\nempty = json\n")
    with pytest.raises(UsageError, match=r"framework 'empty' of acme \(json\) has no function create\(\)"):
        shelves.create("frameworks", "empty")


def test_two_packages_with_one_name_are_both_named(acme: Path) -> None:
    """It does not choose between members of two packages, however each spells the name."""
    other = acme.parent.parent / "bolt-1.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: bolt\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text("[pytest_aiperf.frameworks]\nacme_rt = bolt_runtime\n")
    shelves._entry_points.cache_clear()
    with pytest.raises(UsageError) as raised:
        shelves.create("frameworks", "acme-rt")
    told = re.sub(r"(acme|bolt) \(\w+\)", "X", str(raised.value))
    assert told == "two frameworks are called 'acme_rt', of X and of X; uninstall or rename one"


FRAMEWORK = """
from pytest_aiperf import Accelerator, Framework
class Forests(Framework):
    name = "forests"
    def owns(self, model): return False
"""
BOUND = "    def bind(self, *_): return print\n"
CREATE = "def create():\n    return "


@pytest.mark.parametrize(
    ("shelf", "code", "says"),
    [
        ("frameworks", CREATE + "None", "creates None, no pytest_aiperf.Framework"),
        ("frameworks", FRAMEWORK + CREATE + "Forests()", "cannot be created: TypeError: Can't instantiate abstract"),
        ("frameworks", FRAMEWORK + BOUND + CREATE + "Forests", "creates <class 'acme_runtime.Forests'>, no "),
        (
            "frameworks",
            FRAMEWORK.replace("    name", "    called") + BOUND + CREATE + "Forests()",
            "creates <acme_runtime.Forests object at .*>, which lacks name;",
        ),
        ("frameworks", "NEEDS = 3\n" + CREATE + "None", "needs 3, which is not installed: pip install 3"),
        ("frameworks", "NEEDS = 'nope'\n" + CREATE + "None", "needs 'nope', which is not installed: pip install nope"),
        ("accelerators", FRAMEWORK + BOUND + CREATE + "Forests()", "no pytest_aiperf.Accelerator"),
        ("accelerators", "def create():\n    raise KeyError('so\\nmany')", r"cannot be created: KeyError: 'so\\nmany'"),
        ("reporters", "def create(run):\n    pass", r"cannot be created: TypeError: create\(\) missing 1 required"),
        ("reporters", CREATE + "None", "creates None, which lacks render"),
        ("stores", CREATE + "3", "creates 3, which lacks read, update, entries"),
    ],
)
def test_a_member_that_breaks_its_contract_is_told_in_one_line(acme: Path, shelf: str, code: str, says: str) -> None:
    """It names the member, its package, what is wrong and what to do."""
    acme.write_text(f"[pytest_aiperf.{shelf}]\nacme-rt = acme_runtime\n")
    (acme.parent.parent / "acme_runtime.py").write_text(code)
    with pytest.raises(UsageError) as raised:
        shelves.create(shelf, "acme_rt")
    told = str(raised.value)
    assert re.search(says, told)
    assert told.startswith(f"{shelf[:-1]} 'acme_rt' of acme (acme_runtime) ")
    assert told.endswith(("; mend or uninstall it", "pip install 3", "pip install nope"))
    assert "\n" not in told


METRIC = "Metric(name='wait', title='wait', unit=Unit.SECONDS, better=Better.LOWER, rule=Rule.TIME)"
METRICS = f"from pytest_aiperf import Better, Metric, Rule, Unit\nMETRICS = ({METRIC},)\n"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("", "has METRICS=None, expected a tuple of Metric; mend or"),
        ("METRICS = ('wait',)", "has METRICS=.*, expected a tuple of Metric; mend or"),
        (METRICS.replace("='wait', t", "='', t"), "has a metric with name='', expected a word"),
        (METRICS.replace("='wait', t", "='a b', t"), "has a metric with name='a b', expected a word"),
        (METRICS.replace("Unit.SECONDS", "'s'"), "has a metric with unit='s', expected Unit; mend or"),
        (METRICS.replace("Rule.TIME", "None"), "has a metric with rule=None, expected Rule; mend or"),
        (METRICS.replace("Rule.TIME", "Rule.TIME, needs='gpu'"), "has a metric with needs='gpu', expected .*Need"),
        (METRICS.replace("Rule.TIME", "Rule.TIME, follows='gone'"), "has a metric 'wait' that goes with 'gone', which"),
        (METRICS.replace("Rule.TIME", "Rule.TIME, limited_as='gone'"), "has a metric 'wait' that goes with 'gone'"),
        (METRICS.replace("='wait', t", "='ram', t"), "has a metric 'ram', as metric 'cpu_memory' has; rename it"),
        (METRICS + "MARKERS = ['max_wait']", "has MARKERS=.*, expected a mapping of names to functions; mend"),
        (METRICS + "MARKERS = {'max_wait': int}", "has MARKERS=.*, expected a mapping of names to functions; mend"),
        (METRICS + "probes = ()", r"has probes=\(\), expected a function; mend"),
    ],
)
def test_a_wrong_module_of_metrics_is_told_in_one_line(acme: Path, code: str, says: str) -> None:
    """It finds what nothing could be measured or judged by, before anything is."""
    acme.write_text("[pytest_aiperf.metrics]\nacme-first = acme_runtime\n")
    (acme.parent.parent / "acme_runtime.py").write_text(code)
    with pytest.raises(UsageError, match=rf"^metric 'acme_first' of acme \(acme_runtime\) {says}[^\n]*$"):
        wiring.known_metrics()


def test_a_metric_with_whole_numbers_is_taken(acme: Path) -> None:
    """It is no stricter than Python about what a number is."""
    acme.write_text("[pytest_aiperf.metrics]\nacme-first = acme_runtime\n")
    code = METRICS.replace("Rule.TIME", "Rule.TIME, negligible=1, follows='latency'")
    (acme.parent.parent / "acme_runtime.py").write_text(code)
    assert wiring.known_metrics()["wait"].follows == "latency"

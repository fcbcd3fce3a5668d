"""What stands on a shelf, and what other packages put there."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_aiperf import shelves
from pytest_aiperf.vocabulary.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install a package that offers a framework of its own."""
    (tmp_path / "acme_runtime.py").write_text("def create(*args, **options):\n    return args, options\n")
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
from pytest_aiperf import shelves
names = shelves.names("frameworks")
print([name for name in names if f"pytest_aiperf.runtimes.frameworks.{name}" in sys.modules])
shelves.module("frameworks", "plain")
print([name for name in names if f"pytest_aiperf.runtimes.frameworks.{name}" in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n['plain']\n"


def test_another_package_adds_a_member(acme: Path) -> None:
    """It finds what an entry point offers, and hands all arguments to its `create`."""
    assert "acme_rt" in shelves.names("frameworks")
    assert shelves.create("frameworks", "acme_rt", 1, size=2) == ((1,), {"size": 2})


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
    """It does not choose between its own member and one of another package."""
    acme.write_text("[pytest_aiperf.frameworks]\nplain = acme_runtime\n")
    assert shelves.names("frameworks").count("plain") == 1
    with pytest.raises(UsageError, match=r"two frameworks are called 'plain'.*acme_runtime"):
        shelves.create("frameworks", "plain")


def test_a_member_without_create_is_named(acme: Path) -> None:
    """It says which member cannot be made."""
    acme.write_text("[pytest_aiperf.frameworks]\nempty = json\n")
    with pytest.raises(UsageError, match=r"framework 'empty': .*json.* has no function create\(\)"):
        shelves.create("frameworks", "empty")

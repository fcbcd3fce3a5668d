"""Installed but unused, the plugin costs nothing."""

from __future__ import annotations

import compileall
import shutil
from pathlib import Path

import pytest_aiperf

HEAVY = ("numpy", "torch", "psutil", "scipy", "rich", "msgspec", "filelock", "pynvml", "onnxruntime")

OF_THE_RUNNER = {"__pycache__", "stdout", "stderr", "runpytest-0", "runpytest-current"}
"""What Python and pytester itself leave behind."""


def test_it_imports_nothing_starts_nothing_and_writes_nothing(project):
    project.runs_on()  # this machine: a made-up one is imported itself
    project.write(
        "test_plain.py",
        f"""
import sys
import pytest

@pytest.mark.max_gpu_mb(500)
def test_it():
    loaded = [name for name in {HEAVY!r} if name in sys.modules]
    assert not loaded
    ours = sorted(name for name in sys.modules if name.startswith("pytest_aiperf"))
    packages = {{"pytest_aiperf", "pytest_aiperf.session", "pytest_aiperf.vocabulary"}}
    modules = ["pytest_aiperf.plugin", "pytest_aiperf.session.settings", "pytest_aiperf.vocabulary.channel"]
    assert [name for name in ours if name not in packages] == modules
""",
    )
    project.write(
        "conftest.py",
        """
import os, sys

def forbid(event, args):
    if event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec"):
        sys.stderr.write(f"STARTED {event} {args}")
    if event == "open" and str(args[0]).endswith("entry_points.txt"):  # pytest itself has read them by now
        sys.stderr.write(f"SCANNED {args[0]}")

sys.addaudithook(forbid)
""",
    )
    project.runs_on()
    before = {path for path in project.root.rglob("*") if not set(path.parts) & OF_THE_RUNNER}
    result = project.pytest("-p", "no:cacheprovider", fast=False, fresh=True)
    assert result.ret == 0, result.stdout.str()
    assert "STARTED" not in result.stderr.str()
    assert "SCANNED" not in result.stderr.str()
    assert "aiperf:" not in result.stdout.str()
    after = {path for path in project.root.rglob("*") if not set(path.parts) & OF_THE_RUNNER}
    assert after == before


def test_it_needs_no_sources(project):
    """Of an installation that keeps only what Python compiled."""
    installed = project.root / "installed"
    package = installed / "pytest_aiperf"
    shutil.copytree(Path(pytest_aiperf.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    assert compileall.compile_dir(package, quiet=2, legacy=True)
    for source in package.rglob("*.py"):
        source.unlink()
    project.write(
        "tests/test_plain.py",
        """
import pytest, pytest_aiperf

@pytest.mark.max_gpu_mb(500)
def test_it():
    assert pytest_aiperf.__file__.endswith(".pyc")
""",
    )
    project.runs_on()
    result = project.pytest("tests", "--strict-markers", fast=False, PYTHONPATH=str(installed))
    assert result.ret == 0, result.stdout.str()
    told = " ".join(project.pytest("--help", fast=False, PYTHONPATH=str(installed)).stdout.str().split())
    assert "write a report: csv, json, markdown, " in told


def test_it_runs_the_users_functions_once(project):
    project.write(
        "test_plain.py",
        """
def test_it(aiperf):
    calls = []
    aiperf.call(calls.append, 1)
    aiperf.infer(calls.append, 2)
    aiperf.load(calls.append, 3)
    assert calls == [1, 2, 3]
""",
    )
    assert project.pytest().ret == 0

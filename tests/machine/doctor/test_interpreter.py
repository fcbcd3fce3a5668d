"""The interpreter: how it was built, who watches it, what it compiles again."""

from __future__ import annotations

import py_compile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_aiperf.machine.doctor import interpreter as python
from pytest_aiperf.machine.doctor.finding import State
from pytest_aiperf.machine.instruments import packages_without_bytecode
from tests.fakes_machine import Files, interpreter, lay, machine


@pytest.mark.parametrize(
    ("answers", "state", "seen"),
    [
        ({}, State.FINE, "release"),
        ({"debug_build": True}, State.NOISY, "a debug build (Py_DEBUG)"),
        ({"development_mode": True}, State.NOISY, "development mode checks every allocation"),
    ],
)
def test_it_sees_a_checking_interpreter(tmp_path: Path, answers: dict[str, Any], state: State, seen: str):
    found = python.build(machine(tmp_path, interpreter=interpreter(**answers)))
    assert (found.state, found.seen, bool(found.remedy)) == (state, seen, state is State.NOISY)


def monitoring(**tools: str) -> Any:
    return SimpleNamespace(get_tool=lambda number: tools.get(f"tool{number}"))


@pytest.mark.parametrize(
    ("answers", "environ", "seen"),
    [
        ({"tracer": lambda: print}, {}, "a trace function is set (debugger or coverage)"),
        ({"profiler": lambda: print}, {}, "a profile function is set"),
        ({"monitoring": monitoring(tool1="coverage.py")}, {}, "sys.monitoring is used by coverage.py"),
        ({}, {"COVERAGE_PROCESS_START": ".coveragerc"}, "COVERAGE_PROCESS_START is set"),
        (
            {"tracer": lambda: print, "profiler": lambda: print},
            {},
            "a trace function is set (debugger or coverage); a profile function is set",
        ),
    ],
)
def test_it_says_who_watches_python(tmp_path: Path, answers: dict[str, Any], environ: Files, seen: str):
    found = python.tracing(machine(tmp_path, environ=environ, interpreter=interpreter(**answers)))
    assert (found.state, found.seen) == (State.NOISY, seen)
    assert "--no-cov" in found.remedy


@pytest.mark.parametrize("answers", [{}, {"monitoring": monitoring()}])
def test_it_is_content_when_nobody_watches(tmp_path: Path, answers: dict[str, Any]):
    assert python.tracing(machine(tmp_path, interpreter=interpreter(**answers))).state is State.FINE


@pytest.mark.parametrize(
    ("environ", "packages", "state", "seen", "remedy"),
    [
        ({}, (), State.FINE, "written and there", ""),
        ({"PYTHONDONTWRITEBYTECODE": ""}, (), State.FINE, "written and there", ""),
        (
            {"PYTHONDONTWRITEBYTECODE": "1"},
            (),
            State.NOISY,
            "PYTHONDONTWRITEBYTECODE is set: imports and loads take longer",
            "unset PYTHONDONTWRITEBYTECODE",
        ),
        (
            {"PYTHONDONTWRITEBYTECODE": "1"},
            (Path("/my venv/torch"), Path("/my venv/numpy")),
            State.NOISY,
            "PYTHONDONTWRITEBYTECODE is set and no .pyc files of torch, numpy: imports and loads take longer",
            "unset PYTHONDONTWRITEBYTECODE, then python -m compileall -q '/my venv' (uv: UV_COMPILE_BYTECODE=1)",
        ),
    ],
)
def test_it_sees_source_that_is_compiled_at_each_import(
    tmp_path: Path, *, environ: Files, packages: tuple[Path, ...], state: State, seen: str, remedy: str
):
    found = python.bytecode(
        machine(tmp_path, environ=environ, interpreter=interpreter(without_bytecode=lambda: packages))
    )
    assert (found.state, found.seen, found.remedy) == (state, seen, remedy)


def test_it_finds_packages_without_bytecode_and_imports_none(tmp_path: Path):
    lay(tmp_path, {f"{name}/__init__.py": "raise ImportError\n" for name in ("compiled", "bare")})
    py_compile.compile(str(tmp_path / "compiled/__init__.py"))
    (tmp_path / "namespace").mkdir()
    names = ("compiled", "bare", "namespace", "absent")
    assert packages_without_bytecode(names, [str(tmp_path)]) == (tmp_path / "bare",)

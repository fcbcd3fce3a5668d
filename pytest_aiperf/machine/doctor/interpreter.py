"""The interpreter: how it was built, who watches it, what it compiles again."""

from __future__ import annotations

import shlex

from pytest_aiperf.machine.doctor.finding import Finding, fine, noisy
from pytest_aiperf.machine.instruments import Machine

NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
COVERAGE = ("COVERAGE_PROCESS_START", "COV_CORE_SOURCE")
"""Set where coverage follows into child processes."""


def build(machine: Machine) -> Finding:
    """A checking interpreter is slower, and not evenly so."""
    interpreter = machine.instruments.interpreter
    if interpreter.debug_build:
        return noisy("a debug build (Py_DEBUG)", remedy="measure with a release build of Python (uv python install)")
    if interpreter.development_mode:
        return noisy("development mode checks every allocation", remedy="unset PYTHONDEVMODE, and leave -X dev away")
    return fine("release")


def tracing(machine: Machine) -> Finding:
    """Whoever watches each line makes Python slower and leaves native code as it is."""
    interpreter = machine.instruments.interpreter
    found = list(interpreter.watchers())
    if interpreter.profiler() is not None:
        found.append("a profile function is set")
    found += [f"{variable} is set" for variable in COVERAGE if machine.environ.get(variable)]
    if not found:
        return fine("nobody traces, profiles or monitors")
    return noisy(
        "; ".join(found),
        remedy="measure in a run of its own: no coverage (pytest-cov: --no-cov), debugger or profiler",
    )


def bytecode(machine: Machine) -> Finding:
    """Source that is compiled at each import makes load times longer."""
    found, remedies = [], []
    if machine.environ.get(NO_BYTECODE):
        found.append(f"{NO_BYTECODE} is set")
        remedies.append(f"unset {NO_BYTECODE}")
    if packages := machine.instruments.interpreter.without_bytecode():
        found.append(f"no .pyc files of {', '.join(package.name for package in packages)}")
        places = sorted({shlex.quote(str(package.parent)) for package in packages})
        remedies.append(f"python -m compileall -q {' '.join(places)} (uv: UV_COMPILE_BYTECODE=1)")
    if not found:
        return fine("written and there")
    return noisy(f"{' and '.join(found)}: imports and loads take longer", remedy=", then ".join(remedies))

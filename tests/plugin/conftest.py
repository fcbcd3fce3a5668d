"""A small project of a user, on which pytest runs as the user would run it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.plugin.repository import Repository

SECONDS = {"calm_machine": 0.02, "exact_clock": 0.0005}
"""Of a timing pass; the exact clock counts a thousandth of the time that work takes."""
MACHINES = Path(__file__).parent / "machines"


class Ready:
    """The process of `ready.py`: becomes one pytest after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("ready.py"))],
            cwd=folder,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # a process with threads is no good one to fork
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def pytest(self, directory: Path, arguments: Sequence[str]) -> pytest.RunResult:
        """Run `pytest` in the directory, with the environment of this moment."""
        output, errors = self.folder / "output.txt", self.folder / "errors.txt"
        order = {
            "arguments": [f"--basetemp={directory.parent / f'{directory.name}-base'}", *arguments],
            "directory": str(directory),
            "environ": dict(os.environ),
            "output": str(output),
            "errors": str(errors),
        }
        began = time.monotonic()
        print(json.dumps(order), file=self.process.stdin, flush=True)
        code = int(self.process.stdout.readline())
        told = [file.read_text(encoding="utf-8", errors="replace").splitlines() for file in (output, errors)]
        sys.stdout.write("\n".join([" ".join(["pytest", *arguments]), *told[0], *told[1], ""]))
        return pytest.RunResult(code, *told, duration=time.monotonic() - began)

    def close(self) -> None:
        """It ends with its orders."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Project:
    """Files of a user and the command `pytest`, in a process of its own."""

    def __init__(
        self,
        pytester: pytest.Pytester,
        monkeypatch: pytest.MonkeyPatch,
        ready: Ready,
        recordings: dict[tuple[str, str], str],
    ) -> None:
        self.pytester = pytester
        self.monkeypatch = monkeypatch
        self.root = Path(pytester.path)
        self.ready = ready
        self.recordings = recordings
        own = self.root.parent / f"{self.root.name}-tmp"  # a timing lock of its own: no other run is waited for
        own.mkdir(exist_ok=True)
        monkeypatch.setenv("TMPDIR", str(own))
        monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:asyncio -p no:benchmark -p no:codspeed")
        self.runs_on("calm_machine")

    def runs_on(self, *machines: str) -> None:
        """What a story's processes find instead of this machine: `calm_machine`, `exact_clock`, or nothing."""
        self.monkeypatch.setenv("PYTEST_PLUGINS", ",".join(machines))
        self.monkeypatch.setenv("PYTHONPATH", str(MACHINES))

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def pytest(self, *arguments: str, fast: bool = True, fresh: bool = False, **environ: str) -> pytest.RunResult:
        """Run `pytest` with the arguments; short timing passes unless told otherwise.

        `fresh`: by an interpreter that has imported nothing before.
        """
        with self.monkeypatch.context() as patched:
            for name, value in environ.items():
                patched.setenv(name, value, prepend=os.pathsep if name == "PYTHONPATH" else None)
            seconds = min(SECONDS.get(machine, 0.02) for machine in os.environ["PYTEST_PLUGINS"].split(","))
            chosen = (*((f"--aiperf-seconds={seconds}", "--aiperf-processes=3") if fast else ()), *arguments)
            if fresh or "PYTHONPATH" in environ:
                return self.pytester.runpytest_subprocess(*chosen)
            return self.ready.pytest(self.root, chosen)

    def record(self, module: str = "test_model.py") -> None:
        """The baseline of a module: recorded once for all stories with the same one."""
        key = (os.environ["PYTEST_PLUGINS"], (self.root / module).read_text(encoding="utf-8"))
        if key in self.recordings:
            self.write(str(self.baseline(module).relative_to(self.root)), self.recordings[key])
            return
        assert self.pytest("--aiperf-update").ret == 0
        self.recordings[key] = self.baseline(module).read_text(encoding="utf-8")

    def baseline(self, module: str = "test_model.py") -> Path:
        path = self.root / module
        return path.parent / "__aiperf__" / f"{path.stem}.json"

    def last(self) -> Mapping[str, dict]:
        """Node id -> result of the last run."""
        run = json.loads((self.root / ".aiperf" / "last.json").read_text(encoding="utf-8"))
        return {result["test"]: result for result in run["results"]}

    def rows(self, test: str) -> dict[str, tuple[str, str]]:
        """Title -> (status, reason) of the last run's verdicts on one test."""
        return {row["title"]: (row["status"], row["reason"]) for row in self.last()[test]["verdicts"]}


@pytest.fixture
def _hears_ctrl_c():
    """What is started in the background of a shell ignores SIGINT, and hands that on to what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def project(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    ready: Ready,
    recordings: dict[tuple[str, str], str],
) -> Project:
    return Project(pytester, monkeypatch, ready, recordings)


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    """One for all stories that this process tells."""
    with contextlib.closing(Ready(tmp_path_factory.mktemp("ready"))) as process:
        yield process


@pytest.fixture(scope="session")
def recordings() -> dict[tuple[str, str], str]:
    """What `record` has recorded so far."""
    return {}


@pytest.fixture
def edit(project: Project) -> Callable[[str, str, str], None]:
    """Replace a text in one of the project's files."""

    def replace(name: str, old: str, new: str) -> None:
        text = (project.root / name).read_text(encoding="utf-8")
        assert old in text
        project.write(name, text.replace(old, new))

    return replace


@pytest.fixture
def repository(project: Project) -> Callable[..., Repository]:
    """Make the project a git repository in a layout."""
    return lambda *layout, **code: Repository(project, *layout, **code)

"""A small model package of a user, in git, in one of the usual layouts."""

from __future__ import annotations

import subprocess
from pathlib import Path

NET = """
from exact_clock import nap

SECONDS = 0.002
EXTRA = 0

def forward(x):
    nap(SECONDS * (1 + EXTRA))
    return x
"""

BUSY = """
STEPS = 4000
EXTRA = 0

def forward(x):
    total = x
    for step in range(int(STEPS * (1 + EXTRA))):
        total = (total * 31 + step) & 0xFFFF
    return total
"""
"""Works as long as it takes, on this machine's own clock: for what must be caught at work."""

TESTS = """
import pytest
import net

@pytest.fixture(scope="session")
def start():
    return 7

def test_forward(aiperf, start):
    aiperf.call(net.forward, start)
"""

FLAT, SRC = "flat", "src"


class Repository:
    """Writes files and commits; `net` is the package's folder."""

    def __init__(self, project, layout=FLAT, *, code=NET) -> None:
        self.project = project
        self.root = project.root
        self.net = self.root / ("src/net" if layout == SRC else "net")
        project.runs_on("calm_machine", *(["exact_clock"] if code is NET else []))
        self.git("init", "-q", "-b", "main")
        project.write(".gitignore", "__pycache__/\n.aiperf/\n*.weights\n")
        path = 'pythonpath = ["src"]\n' if layout == SRC else ""
        project.write("pyproject.toml", f'[tool.pytest.ini_options]\ntestpaths = ["tests"]\n{path}')
        project.write(str((self.net / "__init__.py").relative_to(self.root)), code)
        project.write("tests/test_net.py", TESTS)
        self.commit("first")

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments]
        return subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True).stdout

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "-q", "-m", message)

    def change_net(self, old: str, new: str) -> None:
        file = self.net / "__init__.py"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    def slow_down(self, share: float) -> None:
        self.change_net("EXTRA = 0", f"EXTRA = {share}")

    def trees(self) -> list[str]:
        """Checked-out trees of the repository, the user's own included."""
        return [
            line for line in self.git("worktree", "list", "--porcelain").splitlines() if line.startswith("worktree")
        ]

    def left_over(self) -> list[Path]:
        """Temporary folders that a run of this project left behind."""
        own = self.root.parent / f"{self.root.name}-tmp"
        return sorted(own.glob("aiperf-*"))

"""Load times and peaks against a git revision: one value per fresh process of each side."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

TEST = "tests/test_net.py::test_load"
AGAINST = ("--aiperf", "--aiperf-against=HEAD~1", "--aiperf-processes=5", "--aiperf-pairs-budget=50")

LOADER = """
from exact_clock import nap

def load():
    nap({seconds})
    weights = bytearray(b"x" * ({megabytes} * 1024 * 1024))
    return lambda x: len(weights) + x
"""

LOADS = """
import net

def test_load(aiperf):
    aiperf.load(net.load, first=lambda model: model(1))
"""


def test_what_a_load_costs_is_compared_too(project, repository):
    made = repository()
    file = made.net / "__init__.py"
    project.write("tests/test_net.py", LOADS)
    file.write_text(LOADER.format(seconds=0.05, megabytes=20))
    made.commit("a loader")
    file.write_text(LOADER.format(seconds=0.15, megabytes=60))
    made.git("commit", "-q", "-a", "-m", "another loader")
    result = project.pytest(*AGAINST, "--aiperf-new=warn")
    rows = project.rows(TEST)
    assert rows["peak memory"][0] == "regressed", result.stdout.str()
    assert rows["load time, warm"][0] == "regressed", result.stdout.str()
    assert result.ret == 1, result.stdout.str()
    assert made.trees() == [f"worktree {project.root}"]

"""Load times and peaks against a git revision: one value per fresh process of each side."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

TEST = "tests/test_net.py::test_load"
AGAINST = ("--aiperf", "--aiperf-against=HEAD~1", "--aiperf-processes=5", "--aiperf-pairs-budget=30")

LOADER = """
import time

def load():
    time.sleep({seconds})
    weights = bytearray(b"x" * ({megabytes} * 1024 * 1024))
    return lambda x: len(weights) + x
"""

LOADS = """
import net

def test_load(aiperf):
    model = aiperf.load(net.load)
    aiperf.infer(model, 1)
"""


@pytest.mark.parametrize(
    ("new", "says"),
    [((0.15, 60), "regressed"), ((0.05, 20), "passed")],
    ids=["a slower load and a larger peak", "nothing"],
)
def test_what_a_load_costs_is_compared_too(project, repository, new, says):
    made = repository()
    file = made.net / "__init__.py"
    project.write("tests/test_net.py", LOADS)
    file.write_text(LOADER.format(seconds=0.05, megabytes=20))
    made.commit("a loader")
    file.write_text(LOADER.format(seconds=new[0], megabytes=new[1]))
    made.git("commit", "-q", "--allow-empty", "-a", "-m", "another loader")
    result = project.pytest(*AGAINST, "--aiperf-new=warn")
    project.skip_if_disturbed()
    rows = project.rows(TEST)
    assert rows["peak memory"][0] == says, result.stdout.str()
    assert rows["load time, warm"][0] == says or says == "passed", result.stdout.str()
    assert result.ret == (1 if says == "regressed" else 0), result.stdout.str()
    assert made.trees() == [f"worktree {project.root}"]

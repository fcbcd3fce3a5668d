"""New code against a git revision: what turns a build red, what leaves it green, and what stays open."""

from __future__ import annotations

import sys
from xml.etree import ElementTree as ET

import pytest

from tests.plugin.repository import SRC

pytestmark = pytest.mark.slow

TEST = "tests/test_net.py::test_forward"
AGAINST = ("--aiperf", "--aiperf-against=HEAD~1", "--aiperf-calls=5", "--aiperf-pairs-budget=300")
OPEN = "inconclusive"


def latency(project, test=TEST):
    return project.rows(test)["latency p50"]


def test_a_slower_commit_is_red_its_revert_and_a_documentation_commit_are_green(project, repository):
    made = repository()
    made.slow_down(0.10)
    made.commit("slower by 10 %")
    result = project.pytest(*AGAINST)
    assert latency(project)[0] == "regressed"
    assert result.ret == 1, result.stdout.str()
    result.stdout.fnmatch_lines(["*aiperf: latency p50 regressed*", "*pairs against HEAD~1@*"])
    (measurement,) = project.last()[TEST]["measurements"]
    assert {turn["arm"] for block in measurement["pairing"]["blocks"] for turn in block["turns"]} == {
        "reference",
        "candidate",
    }

    made.git("revert", "--no-edit", "HEAD")
    result = project.pytest(*AGAINST)
    assert latency(project)[0] in ("improved", "passed")
    assert result.ret == 0, result.stdout.str()

    project.write("README.md", "What it does.\n")
    made.commit("documentation")
    result = project.pytest(*AGAINST)
    assert latency(project)[0] == "passed"
    assert result.ret == 0, result.stdout.str()
    assert made.trees() == [f"worktree {project.root}"]
    assert made.left_over() == []


BROKEN = {
    "import": (
        "from net import brand_new, forward\n\ndef test_it(aiperf):\n    aiperf.call(forward, 1)\n",
        "old code: its module failed to import: ImportError: cannot import name 'brand_new'",
    ),
    "signature": (
        "import net\n\ndef test_it(aiperf):\n    aiperf.call(net.forward, 1, speed=2)\n",
        "old code: the test failed in call: TypeError: forward() got an unexpected keyword argument 'speed'",
    ),
    "fixture": (
        """
import net, pytest

@pytest.fixture
def model():
    return net.brand_new

def test_it(aiperf, model):
    aiperf.call(net.forward, 1)
""",
        "old code: the test failed in setup: AttributeError: module 'net' has no attribute 'brand_new'",
    ),
}


def test_old_code_that_cannot_run_is_open_with_its_own_message_and_the_other_tests_go_on(project, repository):
    made = repository()
    for name, (test, _) in BROKEN.items():
        project.write(f"tests/test_{name}.py", test)
    made.change_net("def forward(x):", "brand_new = 1\n\ndef forward(x, speed=1):")
    made.commit("new interface")
    result = project.pytest(*AGAINST, "--aiperf-details")
    assert result.ret == 0
    told = " ".join(result.stdout.str().split())
    for name, (_, says) in BROKEN.items():
        assert latency(project, f"tests/test_{name}.py::test_it") == (OPEN, "not_compared"), result.stdout.str()
        assert says in told
    assert latency(project)[0] == "passed", result.stdout.str()
    assert project.pytest(*AGAINST, "--aiperf-inconclusive=fail", "tests/test_import.py").ret == 1


def test_both_sides_in_the_same_code_are_an_error(project, repository):
    made = repository()
    project.write("tests/conftest.py", f"import sys\nsys.path.insert(0, {str(made.root)!r})\n")
    made.slow_down(0.5)
    made.commit("slower, and found by an absolute path")
    result = project.pytest(*AGAINST)
    assert latency(project) == ("anomalous", "same_code"), result.stdout.str()
    assert result.ret == 1
    assert "net/__init__.py of the working tree" in " ".join(result.stdout.str().split())


def test_a_package_that_is_installed_as_a_copy_proves_nothing(project, repository):
    made = repository(SRC)
    copy = project.root.parent / f"{project.root.name}-site"
    copy.mkdir()
    (made.net).rename(copy / "net")
    project.write("pyproject.toml", '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    made.commit("installed elsewhere")
    made.git("commit", "-q", "--allow-empty", "-m", "nothing")
    result = project.pytest(*AGAINST, PYTHONPATH=str(copy))
    assert latency(project) == (OPEN, "not_compared"), result.stdout.str()
    assert "both sides ran the same code" in " ".join(result.stdout.str().split())


FINDER = """
import importlib.util, sys

class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "net":
            return importlib.util.spec_from_file_location(name, {file!r}, submodule_search_locations=[{folder!r}])

sys.meta_path.append(Finder)
"""


@pytest.mark.parametrize("kind", ["path file", "import hook"])
def test_editable_installations_find_each_sides_own_code(project, repository, kind):
    made = repository(SRC)
    project.write("pyproject.toml", '[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    made.slow_down(0.5)
    made.commit("slower")
    site = project.root.parent / f"{project.root.name}-site"
    site.mkdir()
    file = made.net / "__init__.py"
    hook = FINDER.format(file=str(file), folder=str(made.net))
    path = f"import sys\nsys.path.append({str(made.root / 'src')!r})\n"
    (site / "sitecustomize.py").write_text(path if kind == "path file" else hook)
    result = project.pytest(*AGAINST, PYTHONPATH=str(site))
    assert latency(project)[0] == "regressed", result.stdout.str()


PLUGIN = """
import pytest

ROUNDS = 1

@pytest.fixture(params=["once"])
def work(request):
    import net
    return lambda x: [net.forward(x) for _ in range(ROUNDS)]
"""


def test_plugins_conftests_and_parameters_are_each_sides_own(project, repository):
    made = repository(SRC)
    plugin = made.net / "plugin.py"
    plugin.write_text(PLUGIN)
    project.write("conftest.py", 'pytest_plugins = ["net.plugin"]\n')
    project.write("tests/test_net.py", "def test_forward(aiperf, work):\n    aiperf.call(work, 1)\n")
    made.commit("a plugin of the project")
    plugin.write_text(PLUGIN.replace("ROUNDS = 1", "ROUNDS = 2"))
    made.commit("it does everything twice")
    result = project.pytest(*AGAINST)
    assert latency(project, f"{TEST}[once]")[0] == "regressed", result.stdout.str()


def test_ignored_weights_are_shared(project, repository):
    made = repository()
    project.write("big.weights", "12")
    made.change_net("def forward(x):", 'W = int(open("big.weights").read())\n\ndef forward(x):')
    made.commit("weights")
    made.git("commit", "-q", "--allow-empty", "-m", "nothing")
    result = project.pytest(*AGAINST)
    assert latency(project) == (OPEN, "not_compared")
    assert "big.weights" in result.stdout.str()
    result = project.pytest(*AGAINST, "--aiperf-share=*.weights")
    assert latency(project)[0] == "passed", result.stdout.str()
    assert (project.root / "big.weights").read_text() == "12"


def test_ignored_weights_that_make_it_slower_are_red_though_both_sides_share_them(project, repository):
    made = repository()
    project.write("big.weights", "1")
    made.change_net("def forward(x):", 'W = int(open("big.weights").read())\n\ndef forward(x):')
    made.change_net("SECONDS *", "SECONDS * W *")
    made.commit("weights")
    made.git("commit", "-q", "--allow-empty", "-m", "nothing")
    project.pytest("--aiperf-update", "--aiperf-calls=5")
    project.write("big.weights", "10")
    result = project.pytest(*AGAINST, "--aiperf-share=*.weights")
    assert result.ret == 1
    assert latency(project) == ("regressed", "slower"), result.stdout.str()
    assert "both sides read the same big.weights" in " ".join(result.stdout.str().split())


def test_the_commit_that_runs_is_no_reference(project, repository):
    repository()
    project.write("junit.xml", "what runs leave behind")
    result = project.pytest("--aiperf", "--aiperf-against=main")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (told,) = filter(None, result.errlines)
    assert told.startswith("ERROR: --aiperf-against=main: both sides would be the same code: ")
    assert told.endswith("name an older commit, such as HEAD~1")


KNOWN = """
import net, pytest

def test_other():
    pass

@pytest.mark.xfail(reason="known")
def test_known(aiperf):
    aiperf.call(net.forward, 1)
"""


@pytest.mark.parametrize(
    ("arguments", "plugin"),
    [(("-n", "2"), "xdist"), (("--reruns", "1"), "pytest_rerunfailures")],
    ids=["xdist", "reruns"],  # alone: the stories above
)
def test_every_way_of_running_tests_hears_of_the_regression(project, repository, arguments, plugin):
    pytest.importorskip(plugin)
    made = repository()
    project.write("tests/test_other.py", KNOWN)
    made.slow_down(0.5)
    made.commit("slower")
    result = project.pytest(*AGAINST, *arguments, "--junitxml=junit.xml")
    assert latency(project)[0] == "regressed", result.stdout.str()
    assert latency(project, "tests/test_other.py::test_known")[0] == "regressed"
    outcomes = result.parseoutcomes()
    assert outcomes.pop("rerun", 0) >= (1 if "--reruns" in arguments else 0)
    assert outcomes == {"failed": 1, "passed": 1, "xfailed": 1}
    assert result.ret == 1
    cases = {case.get("name"): case for case in ET.parse(project.root / "junit.xml").iter("testcase")}
    assert cases["test_forward"].find("failure") is not None
    assert "aiperf: latency p50 regressed" in cases["test_forward"].find("failure").get("message")
    assert cases["test_other"].find("failure") is None
    again = project.pytest("--lf", "--collect-only", "-q")
    assert "test_forward" in again.stdout.str()
    assert "test_other" not in again.stdout.str()


def test_an_expected_failure_stays_one_and_all_tests_go_to_pairs_where_told_to(project, repository):
    made = repository()
    project.write("tests/test_other.py", KNOWN)
    project.pytest("--aiperf-update")
    made.slow_down(0.5)
    made.git("commit", "-q", "-a", "-m", "slower in one test, and known")
    result = project.pytest(*AGAINST, "--aiperf-pairs=always", "-k", "known")
    test = "tests/test_other.py::test_known"
    assert latency(project, test)[0] == "regressed"
    assert project.last()[test]["measurements"][0]["pairing"] is not None
    result.assert_outcomes(xfailed=1, deselected=2)
    assert result.ret == 0


def test_a_dirty_working_tree_is_what_is_compared_and_a_replay_gives_the_same_verdicts(project, repository):
    made = repository()
    made.slow_down(0.5)
    result = project.pytest("--aiperf", "--aiperf-against=HEAD", "--aiperf-calls=5", "--aiperf-report=json:result.json")
    assert latency(project)[0] == "regressed"
    assert result.ret == 1
    replay = (sys.executable, "-m", "pytest_aiperf.cli", "replay")
    replayed = project.pytester.run(*replay, "result.json")
    assert replayed.ret == 0
    replayed.stdout.fnmatch_lines(["*latency p50*REGRESSED*", "the same verdicts"])
    text = (project.root / "result.json").read_text().replace('"arm":"reference"', '"arm":"REFERENCE"')
    text = text.replace('"arm":"candidate"', '"arm":"reference"').replace('"arm":"REFERENCE"', '"arm":"candidate"')
    (project.root / "swapped.json").write_text(text)
    swapped = project.pytester.run(*replay, "swapped.json")
    assert swapped.ret == 1
    swapped.stdout.fnmatch_lines(["differs: *latency p50 was regressed (slower), is *"])


@pytest.mark.parametrize(
    ("ref", "says"), [("no-such-branch", "no such commit"), ("-f", "no revision")], ids=["unknown", "an option"]
)
def test_a_reference_that_is_none_stops_the_run_before_any_test(project, repository, ref, says):
    repository()
    result = project.pytest("--aiperf", f"--aiperf-against={ref}")
    assert result.ret == 4
    assert says in result.stderr.str()

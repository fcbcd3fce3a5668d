"""What fails a build is confirmed in fresh processes; whatever happens to one is a reason, never a hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

pytestmark = pytest.mark.slow

MIB = 1024**2

FAT = """
import pytest

@pytest.fixture(scope="session")
def model():
    return bytearray(b"x" * (60 * 1024 * 1024))

@pytest.mark.max_ram_mb({limit})
def test_plain(model):
    assert model

@pytest.mark.max_ram_mb({limit})
def test_with_fixture(aiperf, model):
    aiperf.call(len, model)
"""


@pytest.mark.parametrize(("limit", "exit_code"), [(30, 1), (120, 0)])
def test_it_counts_a_model_that_a_session_fixture_loads(project, limit, exit_code):
    project.write("test_model.py", FAT.format(limit=limit))
    result = project.pytest("--aiperf", "--aiperf-processes=1")
    assert result.ret == exit_code, result.stdout.str()
    result.assert_outcomes(**({"failed": 2} if exit_code else {"passed": 2}))
    for test in ("test_plain", "test_with_fixture"):
        assert project.rows(f"test_model.py::{test}")["peak memory"][0] == ("over_limit" if exit_code else "new")


def test_it_does_not_blame_a_test_for_the_memory_of_another(project):
    project.write(
        "test_model.py",
        """
import pytest
kept = []

def test_greedy():
    kept.append(bytearray(b"x" * (100 * 1024 * 1024)))

@pytest.mark.max_ram_mb(50)
def test_frugal(aiperf):
    aiperf.call(len, "x")
""",
    )
    result = project.pytest("--aiperf")
    result.assert_outcomes(passed=2)


LOAD = """
import pytest
from exact_clock import nap

def load(path):
    nap({seconds})
    with open(path, "rb") as file:
        weights = file.read()
    return lambda x: len(weights) + x

@pytest.mark.max_load_s(0.4)
def test_load(aiperf):
    model = aiperf.load(load, "weights.bin")
    assert aiperf.infer(model, 1) == 2_000_001
"""


@pytest.mark.parametrize(("seconds", "exit_code"), [(0.001, 0), (0.8, 1)])
def test_it_measures_loads_cold_and_warm_in_fresh_processes(project, seconds, exit_code):
    (project.root / "weights.bin").write_bytes(b"w" * 2_000_000)
    project.runs_on("calm_machine", "exact_clock")
    project.write("test_model.py", LOAD.format(seconds=seconds))
    result = project.pytest("--aiperf", "--aiperf-processes=1")
    assert result.ret == exit_code, result.stdout.str()
    (measurement,) = project.last()["test_model.py::test_load"]["measurements"]
    samples = [sample for sample in measurement["samples"] if sample["metric"].startswith("load_")]
    assert {sample["metric"] for sample in samples} == {"load_cold", "load_warm"}
    assert {sample["origin"] for sample in samples} == {"fresh"}
    assert all({"read and build", "first inference"} <= set(sample["parts"]) for sample in samples)
    assert all(sample["values"][0] >= seconds for sample in samples)
    assert measurement["files"].keys() == {"weights.bin"}


def child_of_the_plugin(body: str) -> str:
    """A loader that misbehaves in a fresh process only."""
    return f"""
import os, signal, sys, time
import pytest
PARENT = int(open("parent.pid").read()) if os.path.exists("parent.pid") else 0

def load():
    if os.getppid() == PARENT:
        {body}
    return lambda: 1

@pytest.fixture(autouse=True, scope="session")
def parent():
    if not PARENT:
        open("parent.pid", "w").write(str(os.getpid()))

@pytest.mark.max_load_s(5)
def test_load(aiperf):
    aiperf.infer(aiperf.load(load))
"""


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL (out of memory?) in phase test body"),
        ("time.sleep(600)", "hung: no end after 10 s, in phase test body"),
        ("raise RuntimeError('weights are gone')", "the test failed in call: RuntimeError: weights are gone"),
        ("os._exit(3)", "ended with exit code 3 in phase test body"),
        ("pytest.skip('not here')", "the test was skipped in call of a fresh process"),
    ],
    ids=["killed", "hung", "raised", "exited", "skipped"],
)
def test_it_gives_a_reason_for_whatever_happens_to_a_fresh_process(project, body, says):
    project.write("test_model.py", child_of_the_plugin(body))
    result = project.pytest("--aiperf", "--aiperf-timeout=10")  # a busy machine imports for seconds
    assert result.ret == 1, result.stdout.str()
    assert project.rows("test_model.py::test_load")["load time, warm"] == ("anomalous", "child_failed")
    text = " ".join(result.stdout.str().split())
    assert says in text
    assert_nobody_left(project)


@pytest.mark.usefixtures("_hears_ctrl_c")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_it_leaves_no_process_behind(project, number):
    waiting = "open('child.pid', 'w').write(str(os.getpid())); time.sleep(600)"
    project.write("test_model.py", child_of_the_plugin(waiting))
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--aiperf"], cwd=project.root, stdout=subprocess.PIPE, text=True
    )
    try:
        child = wait_for(lambda: int((project.root / "child.pid").read_text() or 0))
        run.send_signal(number)
        output, _ = run.communicate(timeout=60)
    finally:
        run.kill()
    wait_for(lambda: is_gone(child))
    if number == signal.SIGINT:
        assert run.returncode == 2
        assert "KeyboardInterrupt" in output


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_it_keeps_other_workers_tests_out_of_timed_sections(project):
    project.write(
        "test_model.py",
        """
import os, time
import pytest

def note(word):
    with open("log.txt", "a") as file:
        file.write(f"{time.monotonic_ns()} {os.getpid()} {word}\\n")

def timed():
    note("timed")

@pytest.mark.parametrize("number", range(4))
def test_measured(aiperf, number):
    aiperf.call(timed)

@pytest.mark.parametrize("number", range(40))
def test_ordinary(number):
    note("begin")
    time.sleep(0.01)
    note("end")
""",
    )
    result = project.pytest("--aiperf", "-n2", "--dist=load")
    result.assert_outcomes(passed=44)
    sections: dict[str, list[int]] = {}
    ordinary = []
    open_at: dict[str, int] = {}
    for line in sorted((project.root / "log.txt").read_text().splitlines(), key=lambda line: int(line.split()[0])):
        at, pid, word = line.split()
        if word == "timed":
            sections.setdefault(pid, []).append(int(at))
        elif word == "begin":
            open_at[pid] = int(at)
        else:
            ordinary.append((pid, open_at.pop(pid), int(at)))
    assert len(ordinary) == 40
    overlaps = [
        (pid, begin)
        for pid, begin, end in ordinary
        for other, times in sections.items()
        if other != pid and any(begin <= at <= end for at in times)
    ]
    assert not overlaps


def assert_nobody_left(project) -> None:
    here = str(project.root)
    left = [
        process.pid
        for process in psutil.process_iter()
        if process.pid != os.getpid() and _cwd(process) == here and process.status() != psutil.STATUS_ZOMBIE
    ]
    assert not left


def _cwd(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except psutil.Error:
        return ""


def wait_for(condition, patience: float = 60.0):
    """Poll until something true comes back; an end-to-end test waits for another process, a unit test never does."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except (OSError, ValueError):
            pass
        time.sleep(0.05)
    raise AssertionError("waited in vain")


ASYNC_LOAD = """
import asyncio
import pytest
from exact_clock import nap

async def load(seconds):
    await asyncio.sleep(0)
    nap(seconds)
    return lambda x: x + 1

def load_behind_a_plain_function(seconds):
    return load(seconds)

@pytest.mark.max_load_s(0.2)
def test_in_a_plain_test(aiperf):
    assert aiperf.infer(aiperf.load(load, 0.4), 1) == 2

@pytest.mark.asyncio
@pytest.mark.max_load_s(0.2)
async def test_in_an_async_test(aiperf):
    model = await aiperf.load(load, 0.4)
    assert aiperf.infer(model, 1) == 2

def test_unawaited_load(aiperf):
    aiperf.load(load_behind_a_plain_function, 0.4)

def test_unawaited_call(aiperf):
    aiperf.call(load_behind_a_plain_function, 0.4)
"""


def test_it_awaits_an_async_loader_and_refuses_one_in_disguise(project):
    project.runs_on("calm_machine", "exact_clock")
    project.write("test_model.py", ASYNC_LOAD)
    project.monkeypatch.setenv("PYTEST_ADDOPTS", "-o asyncio_default_fixture_loop_scope=function -W ignore")
    briefly = "--aiperf-seconds=0.00002"  # on this clock, which hardly moves while a coroutine is made
    result = project.pytest("--aiperf", "--aiperf-processes=1", briefly)
    result.assert_outcomes(failed=4)
    for test in ("test_in_a_plain_test", "test_in_an_async_test"):
        assert project.rows(f"test_model.py::{test}")["load time, warm"][0] == "over_limit"
    assert result.stdout.str().count("make it an `async def`") >= 2

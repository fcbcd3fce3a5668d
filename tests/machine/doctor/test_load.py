"""Who else wants the processor: limits in pairs, just under is fine, just over is noisy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_aiperf.machine.doctor import load
from pytest_aiperf.machine.doctor.finding import State
from pytest_aiperf.machine.instruments import Process
from tests.fakes_machine import Files, Processes, machine, window

CGROUP = {"proc/self/cgroup": "0::/\n"}
QUOTA = CGROUP | {"sys/fs/cgroup/cpu.max": "150000 100000\n"}


def stat(*, user: int = 0, idle: int = 0, steal: int = 0) -> Files:
    return {"proc/stat": f"cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 1 2 3\n"}


def throttled(count: int) -> Files:
    return {"sys/fs/cgroup/cpu.stat": f"nr_periods 100\nnr_throttled {count}\nthrottled_usec 5000\n"}


def processes(**seconds: float) -> Processes:
    return {
        (pid, 1.0): Process(name=name, seconds=spent) for pid, (name, spent) in enumerate(seconds.items(), start=10)
    }


@pytest.mark.parametrize(("foreign", "state"), [(0.05, State.FINE), (0.06, State.NOISY), (None, State.UNKNOWN)])
def test_it_allows_others_a_twentieth_of_a_core(tmp_path: Path, foreign: float | None, state: State):
    assert load.other_processes(window(tmp_path, foreign=foreign)).state is state


def test_it_names_the_three_busiest_by_what_they_used_meanwhile(tmp_path: Path):
    before = processes(cc1plus=5.0, old=900.0, mypy=1.0, sshd=3.0, a=0.0)
    after = processes(cc1plus=6.6, old=900.0, mypy=2.0, sshd=3.2, a=0.1)
    found = load.other_processes(window(tmp_path, seconds=2.0, foreign=1.5, before=before, after=after))
    assert found.seen == "1.50 cores within 2.0 s: cc1plus (pid 10) 0.80, mypy (pid 12) 0.50, sshd (pid 13) 0.10"
    assert found.remedy.startswith("stop them, or wait; in CI: one job at a time")


def test_it_counts_all_time_of_a_process_that_came_meanwhile_though_its_number_is_an_old_one(tmp_path: Path):
    old, new = {(10, 1.0): Process(name="old", seconds=9.0)}, {(10, 2.0): Process(name="new", seconds=0.5)}
    found = load.other_processes(window(tmp_path, foreign=0.5, before=old, after=new))
    assert "new (pid 10) 0.50" in found.seen


@pytest.mark.parametrize(
    ("spent", "seen", "remedy"),
    [
        ({}, "1.00 cores within 1.0 s: the rest cannot be seen", "they are outside this container"),
        ({"sshd": 0.4}, "sshd (pid 10) 0.40; the rest cannot be seen", "stop them"),
        ({"sshd": 0.5}, "sshd (pid 10) 0.50", "stop them"),
    ],
)
def test_it_says_when_it_cannot_see_who_it_is(tmp_path: Path, spent: dict[str, float], seen: str, remedy: str):
    found = load.other_processes(window(tmp_path, foreign=1.0, after=processes(**spent)))
    assert seen in found.seen
    assert ("the rest" in found.seen) == ("the rest" in seen)
    assert found.remedy.startswith(remedy)


def test_it_shows_a_process_under_a_short_and_printable_name(tmp_path: Path):
    found = load.other_processes(window(tmp_path, foreign=1.0, after=processes(**{"\x1b[31m\n" + "x" * 80: 1.0})))
    assert "?[31m?xxxxxxxxxxx... (pid 10)" in found.seen


@pytest.mark.parametrize(("average", "state"), [(2.0, State.FINE), (2.1, State.NOISY), (None, State.UNKNOWN)])
def test_it_holds_the_load_against_all_processors(tmp_path: Path, average: float | None, state: State):
    quota_of_one = {"cores": lambda: 1, "processors": lambda: 4, "load": lambda: average and (average, 9.0, 9.0)}
    assert load.load_average(machine(tmp_path, **quota_of_one)).state is state


@pytest.mark.parametrize(("average", "state"), [("5.00", State.FINE), ("5.10", State.NOISY), (None, State.UNKNOWN)])
def test_it_reads_how_long_processes_waited_for_a_processor(tmp_path: Path, average: str | None, state: State):
    told = {"proc/pressure/cpu": f"some avg10={average} avg60=0.63 total=4\nfull avg10=9.00 avg60=0.00 total=0\n"}
    assert load.pressure(machine(tmp_path, told if average else {})).state is state


@pytest.mark.parametrize(
    ("before", "after", "state", "seen"),
    [
        (stat(idle=100), stat(idle=200), State.FINE, "0.0 % within 1.0 s, 0.0 % since boot"),
        (stat(idle=10_000), stat(idle=10_098, steal=2), State.FINE, "2.0 % within"),
        (stat(idle=10_000), stat(idle=10_097, steal=3), State.NOISY, "3.0 % within 1.0 s, 0.0 % since boot"),
        (stat(idle=970, steal=30), stat(idle=1_070, steal=30), State.NOISY, "0.0 % within 1.0 s, 2.7 % since boot"),
        ({"proc/stat": "cpu  1 2 3\n"}, {}, State.UNKNOWN, "not readable"),
        ({}, {}, State.UNKNOWN, "not readable"),
        (stat(), {}, State.UNKNOWN, "not readable"),
    ],
)
def test_it_sees_what_other_virtual_machines_took(tmp_path: Path, before: Files, after: Files, state: State, seen: str):
    found = load.steal(window(tmp_path, before, then=after))
    assert found.state is state
    assert found.seen.startswith(seen)


@pytest.mark.parametrize(
    ("before", "after", "state", "seen"),
    [
        (CGROUP, {}, State.FINE, "no quota"),
        (CGROUP | throttled(0), {}, State.FINE, "no quota"),
        (QUOTA, {}, State.FINE, "1.5 of 4 cores, never throttled"),
        (QUOTA | throttled(0), throttled(0), State.FINE, "1.5 of 4 cores, never throttled"),
        (QUOTA | throttled(7), {}, State.NOISY, "1.5 of 4 cores, throttled 7 times so far"),
        (QUOTA | throttled(7), throttled(9), State.NOISY, "throttled 9 times so far, 2 times within 1.0 s"),
        ({}, {}, State.UNKNOWN, "not readable on this system"),
    ],
)
def test_it_sees_a_quota_that_stops_the_container(tmp_path: Path, before: Files, after: Files, state: State, seen: str):
    seen_window = window(tmp_path, before, then=after)
    found = load.quota(machine(tmp_path), seen_window)
    assert found.state is state
    assert found.seen.endswith(seen)


def test_it_proposes_as_many_threads_as_the_quota_bears(tmp_path: Path):
    files: dict[str, Any] = {**QUOTA, **throttled(7)}
    found = load.quota(machine(tmp_path, files), window(tmp_path, files))
    assert found.remedy.startswith("export OMP_NUM_THREADS=1, ")

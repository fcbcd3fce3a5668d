"""The real machine's answers, and files that are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pytest_aiperf.machine.instruments import Instruments
from tests.fakes_machine import machine


def test_it_lists_others_but_neither_itself_nor_its_children():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        listed = {pid for pid, _ in Instruments().processes()}
    assert listed.isdisjoint({os.getpid(), child.pid})
    assert os.getppid() in listed


def test_it_asks_the_real_machine():
    asked = Instruments()
    assert 1 <= asked.cores() <= asked.processors()
    memory = asked.memory()
    assert 0 < memory.available <= memory.total


def test_it_reads_what_is_there_and_nothing_where_nothing_is(tmp_path: Path):
    seen = machine(tmp_path, {"sys/cpu0/kind": " a \n", "sys/cpu10/kind": "b\n", "sys/cpu2/kind": "\n"})
    assert seen.read("sys/cpu0/kind") == "a"
    assert seen.read("sys/cpu0") == seen.read("sys/absent") == ""
    assert seen.each("sys/cpu*/kind") == {tmp_path / "sys/cpu0/kind": "a", tmp_path / "sys/cpu10/kind": "b"}


def test_it_leaves_the_smaller_of_affinity_and_quota(tmp_path: Path):
    quota = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}
    assert machine(tmp_path).usable_cores() == 4
    assert machine(tmp_path, quota).usable_cores() == 2.5
    assert machine(tmp_path, cores=lambda: 1).usable_cores() == 1

"""Progress on a terminal, nothing in a log, and never in a test's captured output."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

TEST = """
def test_it(aiperf, capfd):
    print("own words")
    aiperf.call(sum, [1, 2])
    assert capfd.readouterr().out == "own words\\n"
    print("and more")
    assert False
"""


def output_on_terminal(root) -> str:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--aiperf", "--aiperf-seconds=0.02"], cwd=root, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    chunks = []
    while True:
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # the other end was closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    process.wait()
    os.close(ours)
    return b"".join(chunks).decode()


def test_it_shows_on_a_terminal_what_is_being_measured_and_takes_it_back(project):
    project.write("test_model.py", TEST)
    text = output_on_terminal(project.root)
    shown = " [latency and throughput]"
    assert shown + "\b" * len(shown) + " " * len(shown) + "\b" * len(shown) in text
    captured = text.partition("Captured stdout call")[2]
    assert "and more" in captured
    assert "latency and throughput" not in captured


def test_it_shows_nothing_in_a_log(project):
    project.write("test_model.py", TEST)
    result = project.pytest("--aiperf")
    assert result.ret == 1
    assert "latency and throughput" not in result.stdout.str()

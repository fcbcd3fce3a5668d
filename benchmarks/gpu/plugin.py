"""The plugin as its users run it, on the device: what it prints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.gpu.table import Bench

HERE = Path(__file__).parent
LIMIT_SECONDS = 150


def as_users_see_it(bench: Bench) -> list[str]:
    """The whole output of one run with every detail, after one that stores baselines."""
    with tempfile.TemporaryDirectory(prefix="gpu-project-") as scratch:
        folder = Path(scratch)
        shutil.copy(HERE / "project.py", folder / "test_gpu.py")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "--aiperf", "--aiperf-details"]
        command += ["--aiperf-seconds=0.3", "--aiperf-processes=2"]
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "DEVICE": bench.device, "COLUMNS": "110"},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )
    return ["```", done.stdout.strip(), done.stderr.strip()[-2000:], "```"]
